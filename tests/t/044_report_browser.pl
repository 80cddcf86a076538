# tests/t/044_report_browser.pl
#	A page of mmrd_report() in a browser: light, dark, on a phone; what it
#	asks for (nothing), and that its pictures and texts arrive.
#
# Measured by a page around it, since the page itself runs no script.  Screen-
# shots stay in the test's folder.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use JSON::PP;
use Test::More;

my ($browser) = grep { -x } map { "$_/chromium" } split(/:/, $ENV{PATH});
plan skip_all => 'chromium is not here (scripts/install-packages browser)'
  unless defined $browser;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

# Texts from the data that would be noticed if they were not escaped.
my $evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
my $title = "Stra\x{c3}\x{9f}e 7 \"&' $evil";
$node->safe_psql('postgres', qq{
	CREATE EXTENSION mmrd;
	SET mmrd.progress = off;
	CREATE TABLE scans (key text PRIMARY KEY, rgb bytea, aux bytea);
	INSERT INTO scans SELECT 'good ' || id, rgb, aux FROM mmrd_synthesize(6, 1);
	SELECT version FROM mmrd_train('scans', options => '{"epochs": 2, "input_size": 64}');
	SELECT mmrd_attach('scans', 'key', keep_map => 'always');
	INSERT INTO scans SELECT id || '$evil', rgb, aux FROM mmrd_synthesize(8, 2, 0.5);
	INSERT INTO scans VALUES ('bad $evil', 'x', 'y');
});
$node->safe_psql('postgres', 'CALL mmrd_drain()');
my $html = $node->safe_psql('postgres',
	"SELECT mmrd_report('scans', title => \$t\$$title\$t\$)");
$node->stop;

my $folder = PostgreSQL::Test::Utils::tempdir;
my $kept = $ENV{TESTDATADIR} || $folder;

sub spew
{
	my ($name, $text) = @_;

	open(my $file, '>:raw', "$folder/$name") or die "$name: $!";
	print $file $text;
	close($file) or die "$name: $!";
	return;
}

# What a browser of that width makes of it.
sub look
{
	my ($name, $width, $scheme) = @_;
	my @options = (
		'--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
		"--user-data-dir=$folder/profile", '--allow-file-access-from-files',
		'--host-resolver-rules=MAP * ~NOTFOUND',
		'--blink-settings=preferredColorScheme=' . ($scheme eq 'dark' ? 0 : 1),
		'--window-size=1280,4000');
	my ($dom, $log);

	local $ENV{HOME} = $folder;
	spew("$name.html", <<"OUTER");
<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">
<iframe id="page" src="report.html" style="border:0;width:${width}px;height:4000px"></iframe>
<script>
onload = () => {
	const w = document.getElementById('page').contentWindow, d = w.document;
	const all = [...d.body.querySelectorAll('*')];
	const seen = all.filter(e => e.getClientRects().length && e.textContent.trim()
		&& !e.children.length && !e.closest('svg,details:not([open])'));
	const out = document.createElement('pre');
	out.id = 'measured';
	out.textContent = JSON.stringify({
		title: d.title, heading: d.querySelector('h1').textContent,
		scripts: d.scripts.length,
		pictures: d.images.length,
		broken: [...d.images].filter(i => !(i.naturalWidth > 0)).length,
		asked: w.performance.getEntriesByType('resource')
			.filter(e => !e.name.startsWith('data:')).map(e => e.name),
		overflow: d.documentElement.scrollWidth - $width,
		smallest: Math.min(...seen.map(e => parseFloat(w.getComputedStyle(e).fontSize))),
		ground: w.getComputedStyle(d.body).backgroundColor,
		ink: w.getComputedStyle(d.body).color,
		bars: [...d.querySelectorAll('rect')].filter(r => r.getBoundingClientRect().height > 1).length,
		articles: d.querySelectorAll('article').length});
	document.body.append(out);
};
</script>
OUTER
	run_log([ 'timeout', '120', $browser, @options,
			"--screenshot=$kept/$name.png", "file://$folder/$name.html" ],
		'>', \$log, '2>&1');
	IPC::Run::run([ 'timeout', '120', $browser, @options, '--virtual-time-budget=5000',
			'--dump-dom', "file://$folder/$name.html" ], '>', \$dom, '2>', \$log);
	my ($json) = $dom =~ m{<pre id="measured">(.*?)</pre>}s
	  or BAIL_OUT("$name: nothing was measured: $log");
	$json =~ s/&lt;/</g;
	$json =~ s/&gt;/>/g;
	$json =~ s/&amp;/&/g;
	return decode_json($json);
}

sub luminance
{
	my ($r, $g, $b) = $_[0] =~ /(\d+), (\d+), (\d+)/;
	my @linear = map { $_ /= 255; $_ <= 0.04045 ? $_ / 12.92 : (($_ + 0.055) / 1.055)**2.4 } $r, $g, $b;

	return 0.2126 * $linear[0] + 0.7152 * $linear[1] + 0.0722 * $linear[2];
}

spew('report.html', $html);
my $shown = $title;
utf8::decode($shown);
for my $view ([ 'desktop', 1200, 'light' ], [ 'desktop', 1200, 'dark' ],
	[ 'phone', 390, 'light' ], [ 'phone', 320, 'dark' ])
{
	my ($device, $width, $scheme) = @$view;
	my $name = "$device $scheme";
	my $got = look("$device-$scheme", $width, $scheme);
	my ($ground, $ink) = map { luminance($_) } $got->{ground}, $got->{ink};
	my ($light, $dark) = sort { $b <=> $a } $ground, $ink;

	is($got->{title}, $shown, "$name: the title, as it was given");
	is($got->{heading}, $shown, "$name: the heading too");
	is($got->{scripts}, 0, "$name: no script");
	is($got->{articles}, 8, "$name: the worst scans");
	is($got->{pictures}, 16, "$name: photos and maps, and no picture from a text");
	is($got->{broken}, 0, "$name: all of them can be seen");
	is_deeply($got->{asked}, [], "$name: nothing is asked for");
	cmp_ok($got->{overflow}, '<=', 0, "$name: nothing sticks out");
	cmp_ok($got->{smallest}, '>=', 11, "$name: no letter is smaller than 11 px");
	cmp_ok($got->{bars}, '>', 5, "$name: the charts have bars");
	is($ground > $ink ? 'light' : 'dark', $scheme, "$name: its scheme");
	cmp_ok(($light + 0.05) / ($dark + 0.05), '>', 7, "$name: contrast");
	ok(-s "$kept/$device-$scheme.png", "$name: a screenshot");
}
done_testing();
