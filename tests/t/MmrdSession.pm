# tests/t/MmrdSession.pm
#	A psql session that can be left busy, and small helpers of the TAP tests.
#
#	my $s = MmrdSession->new($node);
#	my ($rows, $errors) = $s->query('SELECT 1');
#	$s->send('SELECT long()');  ...  ($rows, $errors) = $s->answer;
package MmrdSession;

use strict;
use warnings;
use File::Temp;
use IPC::Run;
use PostgreSQL::Test::Utils ();
use Time::HiRes qw(time sleep);

sub new
{
	my ($class, $node, $database) = @_;
	my $self = { in => '', out => '', err => '', marks => 0 };

	$self->{timer} = IPC::Run::timer(600);
	$self->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr($database || 'postgres'),
			'-f', '-' ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err},
		$self->{timer});
	bless $self, $class;
	$self->query('SET mmrd.progress = off');
	($self->{pid}) = $self->query('SELECT pg_backend_pid()');
	return $self;
}

# Send a query, without waiting.
sub send
{
	my ($self, $sql) = @_;

	$self->{marks}++;
	$self->{in} .=
	  "$sql;\n\\echo mark $self->{marks}\n\\warn mark $self->{marks}\n";
	$self->{run}->pump_nb;
}

# Wait for the answer to the last query sent: rows, messages, seconds.
sub answer
{
	my ($self) = @_;
	my $mark = "mark $self->{marks}\n";
	my $start = time;

	$self->{timer}->start(600);
	while ($self->{out} !~ /^$mark/m || $self->{err} !~ /^$mark/m)
	{
		last if !$self->{run}->pumpable;
		eval { $self->{run}->pump; 1 } or die "session $self->{pid}: $@";
	}
	my ($rows, $errors) = ($self->{out}, $self->{err});

	$self->{out} = $self->{err} = '';
	$rows =~ s/^$mark//m;
	$errors =~ s/^$mark//m;
	chomp $rows;
	return ($rows, $errors, time - $start);
}

sub query
{
	my ($self, $sql) = @_;

	$self->send($sql);
	my @answer = $self->answer;
	return wantarray ? @answer : $answer[0];
}

# The same query many times over, from a file: a pipe would fill up.
sub repeat
{
	my ($self, $sql, $times) = @_;
	my $file = File::Temp->new;

	print $file "$sql;\n" x $times;
	close $file;
	$self->{marks}++;
	$self->{in} .= "\\i $file\n\\echo mark $self->{marks}\n\\warn mark $self->{marks}\n";
	$self->{run}->pump_nb;
	return $self->answer;
}

sub quit
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	eval { $self->{run}->finish };
}

# Threads of the backend, and its resident memory in kB.
sub threads
{
	my ($self) = @_;
	my @tasks = glob("/proc/$self->{pid}/task/*");

	return scalar @tasks;
}

sub resident
{
	my ($self) = @_;

	open my $status, '<', "/proc/$self->{pid}/status" or die $!;
	my ($kb) = map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$status>;
	return $kb;
}

# Kill the backend, and wait until the server has noticed, ended all other
# sessions and takes connections again; 1 if it did.
sub crash
{
	my ($self, $node) = @_;
	my $until = time + 400;
	my $restarts = sub {
		my @lines = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /all server processes terminated; reinitializing/g;
		return scalar @lines;
	};
	my $before = $restarts->();

	kill 'KILL', $self->{pid};
	while (time < $until)
	{
		return 1 if $restarts->() > $before && ($node->psql('postgres', 'SELECT 1'))[0] == 0;
		sleep 0.05;
	}
	return 0;
}

# Wait until a query in another session gives the wanted answer.
sub poll
{
	my ($self, $sql, $wanted) = @_;
	my $until = time + 400;

	while (time < $until)
	{
		return 1 if $self->query($sql) eq $wanted;
		sleep 0.05;
	}
	return 0;
}

1;
