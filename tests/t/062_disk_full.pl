# tests/t/062_disk_full.pl
#	A disk that is full while maps, a checkpoint or temporary files are written:
#	an error that says so, no row lost, and all goes on when there is room.
#
#	The disk is a tablespace in memory, in a mount namespace of the server's own,
#	and the server itself fills it.  The transaction log is elsewhere: without
#	room for that PostgreSQL stops by itself.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;
use MmrdSession;

my ($user, $group) = ($>, (split ' ', $))[0]);
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
my $disk = $node->basedir . '/disk';
mkdir $disk or die "$disk: $!";
my $prelude = "exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size=700m tmpfs $disk"
  . " && exec unshare --user --map-user=$user --map-group=$group \"\$@\"' sh \"\$@\"";
plan(skip_all => 'no small disk can be mounted: namespaces of users are not allowed here')
  if system('bash', '-c', "$prelude 2>/dev/null", 'bash', 'true') != 0;

$node->append_conf('postgresql.conf',
	"mmrd.threads = 1\nmmrd.train_threads = 1\nmmrd.progress = off\nautovacuum = off\nclient_min_messages = error");
my @start = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');
system('bash', '-c', "$prelude >/dev/null", 'bash', @start) == 0 or die 'the server does not start';
$node->_update_pid(1);

sub sql
{
	return $node->safe_psql('postgres', shift);
}

# As the server sees it: a file that leaves so many kB of the disk, or none.
sub fill
{
	my ($left_kb) = @_;

	sql("COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; head -c $left_kb\\K /dev/zero >$disk/spare; "
		  . "cat /dev/zero >$disk/filler 2>/dev/null; rm $disk/spare'");
	return;
}

sub make_room
{
	sql("COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm -f $disk/filler'");
	return;
}

sql("CREATE EXTENSION mmrd");
sql("CREATE TABLESPACE small LOCATION '$disk'");
sql(q{
	ALTER TABLE mmrd.results SET TABLESPACE small;
	ALTER TABLE mmrd.checkpoints SET TABLESPACE small;
	CREATE TABLE made AS SELECT * FROM mmrd_synthesize(12, 1);
	SELECT mmrd_train('made', 'm', options => '} . options('"epochs": 1, "deploy": "always"') . q{');
	CREATE TABLE queued (id integer PRIMARY KEY, rgb bytea, aux bytea);
	CREATE TABLE watched (id integer PRIMARY KEY, rgb bytea, aux bytea);
	SELECT mmrd_attach('queued', 'id', 'm', keep_map => 'always');
	SELECT mmrd_attach('watched', 'id', 'm', keep_map => 'always', mode => 'trigger');
});
my $started = sql('SELECT pg_postmaster_start_time()');
my $full = qr/ERROR:  could not (?:extend|write) .*: No space left on device.*HINT:/s;
my $session = MmrdSession->new($node);
my $expected = sql(q{SELECT md5(string_agg(float4send(mmrd_score(rgb, aux, 'm'))::text, ',' ORDER BY id)) FROM made});

sub kept
{
	my ($source) = @_;

	return sql(qq{SELECT count(map), count(error), md5(string_agg(float4send(score)::text, ',' ORDER BY key::integer))
		FROM mmrd.results WHERE source = '$source'::regclass});
}

# ---- maps, from the queue ----

sql('INSERT INTO queued SELECT id, rgb, aux FROM made');
fill(24);
my (undef, $errors) = $session->query(q{CALL mmrd_drain('queued', batch => 1)});
like($errors, $full, 'the queue, no room for maps: an error');
my $some = sql('SELECT count(*) FROM mmrd.results');
cmp_ok($some, '<', 12, "some are not scored ($some are)");
is(sql('SELECT count(*) FROM mmrd.pending'), 12 - $some, 'they wait');
is(sql('SELECT coalesce(max(attempts), 0) FROM mmrd.pending'), '0', 'and are not blamed');
is(sql('SELECT count(*) FROM mmrd.results WHERE error IS NOT NULL'), '0', 'nor marked as bad');
make_room();
(undef, $errors) = $session->query('CALL mmrd_drain()');
is($errors, '', 'with room, the same session drains');
is(kept('queued'), "12|0|$expected", 'every scan has its score and map');
is(sql('SELECT count(*) FROM mmrd.pending'), '0', 'none waits');

# ---- maps, within the insert ----

fill(0);
(undef, $errors) = $session->query('INSERT INTO watched SELECT id, rgb, aux FROM made');
like($errors, $full, 'the trigger, no room for maps: an error');
is(sql('SELECT count(*) FROM watched'), '0', 'and no scan without a score');
make_room();
(undef, $errors) = $session->query('INSERT INTO watched SELECT id, rgb, aux FROM made');
is($errors, '', 'with room, it is inserted');
is(kept('watched'), "12|0|$expected", 'every scan has its score and map');

# ---- a checkpoint ----

my $options = options('"epochs": 5, "batch_size": 6, "checkpoint_every": 3');
my $undisturbed = start($node, "'made', options => '$options'");
is(wait_for($node, $undisturbed), 'done', 'a job that nobody disturbs');
my $bits = bits($node, $undisturbed);
sql('VACUUM FULL mmrd.checkpoints');
fill(0);
my $job = start($node, "'made', options => '$options'");
is(wait_for($node, $job), 'failed', 'no room for a checkpoint: the job fails');
like(sql("SELECT error FROM mmrd.jobs WHERE job = $job"), qr/could not extend file .*: No space left on device.*HINT:/s,
	'and says why');
is(sql("SELECT count(*) FROM mmrd.checkpoints WHERE job = $job"), '0', 'there is no half a checkpoint');
make_room();
sql("SELECT mmrd_resume($job)");
is(wait_for($node, $job), 'done', 'with room, it is resumed');
is(bits($node, $job), $bits, 'to the same bits');

# ---- temporary files ----

my $training = q{SELECT round(loss::numeric, 5) FROM mmrd_train('made', 'kept', options => '}
  . options('"epochs": 1, "batch_size": 1, "bn_epochs": 1') =~ s/"input_size": 64, //r . q{')};
(undef, $errors) = $session->query("SET mmrd.train_memory = '64MB'; $training");
my ($least) = $errors =~ /(\d+) MB are needed/;
ok($least, 'too little memory is refused') or BAIL_OUT($errors);
$session->query("RESET mmrd.train_memory");
my $loss = $session->query($training);
$least++;
$session->query("SET mmrd.train_memory = '${least}MB'; SET temp_tablespaces = 'small'");
fill(1000);
(undef, $errors) = $session->query($training);
like($errors, qr/could not write to temporary file: No space left on device.*HINT:/s, 'no room for temporary files: an error');
my $files = q{SELECT count(*) FROM pg_tablespace t, pg_ls_tmpdir(t.oid) WHERE spcname = 'small'};
is(sql($files), '0', 'they are gone');
make_room();
is($session->query($training), $loss, 'with room, the same session trains, to the same loss');
is(sql($files), '0', 'they are gone again');

# ---- afterwards ----

is(sql(q{SELECT md5(string_agg(float4send(mmrd_score(rgb, aux, 'm'))::text, ',' ORDER BY id)) FROM made}), $expected,
	'bit-equal scores');
is(sql('SELECT pg_postmaster_start_time()'), $started, 'the server never restarted');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'and nobody crashed');
sql('CREATE EXTENSION amcheck');
command_ok([ 'pg_amcheck', '--heapallindexed', '--all', '-h', $node->host, '-p', $node->port ], 'pg_amcheck');
$session->quit;
$node->stop('immediate');
done_testing();
