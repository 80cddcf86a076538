# tests/t/015_job_disk.pl
#	What of a training does not fit in memory: temporary files, gone on every
#	way out, within temp_file_limit, and a full disk is the job's error.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MmrdJobs;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'mmrd.train_threads = 1');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION mmrd;
	CREATE TABLE scans AS
		SELECT n AS id, s.rgb, s.aux FROM generate_series(1, 20) n, mmrd_synthesize(2, 1) s;
});
my $options = options('"epochs": 5000, "batch_size": 1, "bn_epochs": 1, "input_size": 128');
my $one_epoch = $options =~ s/5000/1/r;
$options =~ s/"input_size": 64, //;
$one_epoch =~ s/"input_size": 64, //;

# The least that a training can do with: then nothing else fits in memory.
my (undef, undef, $refusal) = $node->psql('postgres',
	"SET mmrd.train_memory = '64MB'; SELECT mmrd_train('scans', options => '$options')");
my ($least) = $refusal =~ /(\d+) MB are needed/;
ok($least, 'too little memory is refused, saying how much it takes') or $least = 64;
$least++;
$node->append_conf('postgresql.conf', "mmrd.train_memory = '${least}MB'");
$node->reload;

my $job = start($node, "'scans', options => '$options'");
ok(epochs_done($node, $job, 1), "a job with $least MB");
cmp_ok(temporary_files($node), '>', 0, 'has temporary files');
$node->safe_psql('postgres', "SELECT mmrd_cancel($job)");
is(temporary_files($node), 0, 'cancelled: they are gone');
$node->safe_psql('postgres', "SELECT mmrd_resume($job)");
ok(defined until_true(sub { temporary_files($node) > 0 && state($node, $job) eq 'running' }),
	'resumed, it has temporary files again');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid, 5000) FROM mmrd.jobs WHERE job = $job");
is(temporary_files($node), 0, 'terminated: they are gone');

$node->safe_psql('postgres', "ALTER ROLE CURRENT_USER SET temp_file_limit = '1MB'");
$job = start($node, "'scans', options => '$one_epoch'");
is(wait_for($node, $job), 'failed', 'temp_file_limit holds');
like($node->safe_psql('postgres', "SELECT error FROM mmrd.jobs WHERE job = $job"),
	qr/temporary file size exceeds temp_file_limit/, 'and is the error');
is(temporary_files($node), 0, 'failed: no files are left');
$node->safe_psql('postgres', 'ALTER ROLE CURRENT_USER RESET temp_file_limit');

# A limit on the size of files stands for a full disk: writing fails just so.
$node->stop;
my @start = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start');
system('bash', '-c', 'ulimit -f 18000 && exec "$@" >/dev/null', 'bash', @start) == 0
	or die 'the server does not start';
$node->_update_pid(1);
$job = start($node, "'scans', 'full', options => '$one_epoch'");
is(wait_for($node, $job), 'failed', 'a full disk ends the job');
like($node->safe_psql('postgres', "SELECT error FROM mmrd.jobs WHERE job = $job"),
	qr/could not write to temporary file: (?:File too large|No space left on device).*HINT:.*mmrd.train_memory/s,
	'the error says what could not be written');
is(temporary_files($node), 0, 'no files are left');
is($node->safe_psql('postgres', "SELECT count(*) FROM mmrd.versions"), '0', 'no version');
$node->restart;
$node->safe_psql('postgres', "SELECT mmrd_resume($job)");
is(wait_for($node, $job), 'done', 'resumed when there is room, it ends');

$node->stop;
done_testing();
