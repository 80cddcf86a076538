# tests/t/043_tutorial.pl
#	docs/tutorial.md, every command of it, on a server such as it asks for:
#	with its settings and with pg_cron.  Then what it promises.
#
# Where pg_cron is not installed, the commands that are about it are left out,
# and this says so.
use strict;
use warnings;
use Cwd;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $page = "$ENV{MMRD_TESTS}/../docs/tutorial.md";
plan skip_all => "$page is not here" unless -r $page;

# [kind, line, text] of each block that is to be run.
sub blocks
{
	my @blocks;
	my ($kind, $line, $text);

	open(my $file, '<', $page) or die "$page: $!";
	while (my $l = <$file>)
	{
		if (defined $kind && $l =~ /^```/)
		{
			push @blocks, [ $kind, $line, $text ];
			undef $kind;
		}
		elsif (defined $kind) { $text .= $l; }
		elsif ($l =~ /^```(sql|sh|conf)$/)
		{
			($kind, $line, $text) = ($1, $., '');
		}
	}
	return @blocks;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my $has_cron = $node->safe_psql('postgres',
	"SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'");
my $folder = PostgreSQL::Test::Utils::tempdir;

diag('pg_cron is not installed: commands of the tutorial that need it are left out')
  unless $has_cron;

sub without_cron
{
	my ($text) = @_;

	$text =~ s/'pg_cron, /'/;
	$text =~ s/^cron\..*\n//mg;
	$text =~ s/^CREATE EXTENSION pg_cron;\n//mg;
	$text =~ s/^SELECT cron\.schedule\(.*?\);\n//msg;
	$text =~ s/^SELECT jobname.*cron\.job.*\n//mg;
	return $text;
}

sub run_sh
{
	my ($text) = @_;
	my $before = getcwd;

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	chdir $folder;
	my $ok = run_log([ 'bash', '-e', '-o', 'pipefail', '-c', $text ]);
	chdir $before;
	return $ok;
}

sub run_sql
{
	my ($text) = @_;
	my ($out, $err);
	my $status = $node->psql('line', $text, stdout => \$out, stderr => \$err,
		on_error_stop => 1, timeout => 600);

	diag($err) if $status != 0;
	return $status == 0;
}

my %n;
for my $block (blocks())
{
	my ($kind, $line, $text) = @$block;

	$text = without_cron($text) unless $has_cron;
	next unless $text =~ /\S/;
	$n{$kind}++;
	if ($kind eq 'conf')
	{
		$node->append_conf('postgresql.conf', $text);
		$node->restart;
		pass("tutorial.md:$line: the server starts");
	}
	elsif ($kind eq 'sh') { ok(run_sh($text), "tutorial.md:$line: sh"); }
	else { ok(run_sql($text), "tutorial.md:$line: sql"); }
}
cmp_ok($n{sql}, '>=', 15, 'there were commands to run');
is($n{sh}, 3, 'and others');

# ---- what it promises ----

sub query
{
	return $node->safe_psql('line', $_[0]);
}

# A value that is not empty, within that many seconds.
sub until_there
{
	my ($query, $seconds) = @_;
	my $end = time + $seconds;
	my $value;

	while (($value = query($query)) eq '' && time < $end) { sleep 0.5; }
	return $value;
}

# (pg_cron may have had the last of them in hand.)
until_there('SELECT 1 FROM mmrd.results HAVING count(*) = 31', 60);
is(query("SELECT count(*), count(score), count(error) FROM mmrd.scores"), '31|30|1',
	'every new scan has a result');
cmp_ok(query('SELECT count(*) FROM mmrd.scores WHERE anomalous'), '>', 0,
	'something was found');
is(query('SELECT count(*) FROM mmrd.pending'), '0', 'nothing waits');
like(slurp_file("$folder/line7.html"), qr/Housings, line 7/, 'the report');
is(substr(slurp_file("$folder/worst.png"), 1, 3), 'PNG', 'the picture');

SKIP:
{
	skip 'no pg_cron', 7 unless $has_cron;
	is(query("SELECT string_agg(jobname, ' ' ORDER BY jobname) FROM cron.job"),
		'prune report retrain score', 'what is scheduled');

	# The next minute comes by itself.
	$node->safe_psql('line', q{INSERT INTO scans (rgb, aux)
		SELECT rgb, aux FROM mmrd_synthesize(2, seed => 9)});
	is(until_there(q{SELECT count(*) FROM mmrd.results HAVING count(*) = 33}, 300),
		'33', 'pg_cron drains the queue');

	# The nights are long: have them now.
	query(q{SELECT cron.schedule(jobname, '* * * * *', command) FROM cron.job
		WHERE jobname <> 'score'});
	is(until_there(q{SELECT version FROM mmrd.versions WHERE version = 2}, 900), '2',
		'the night makes a new version');
	is(until_there(q{SELECT version FROM mmrd.jobs WHERE job = 2 AND state = 'done'}, 300),
		'2', 'as a job');
	query(q{SELECT cron.unschedule(jobname) FROM cron.job});
	query(q{SELECT mmrd_cancel(job) FROM mmrd.jobs WHERE state IN ('queued', 'running')});
	like(until_there(q{SELECT page FROM reports ORDER BY made_at LIMIT 1}, 100),
		qr{<bdi>housing</bdi>}, 'the morning has a report');
	is(query(q{SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'}), '0',
		'no scheduled command failed')
	  or diag(query(q{SELECT command, return_message FROM cron.job_run_details
			WHERE status = 'failed'}));
	is(query(q{SELECT count(*) FROM mmrd.results WHERE map IS NOT NULL AND anomalous}) > 0,
		1, 'maps of today are kept');
}
$node->stop('fast');
done_testing();
