#!/usr/bin/perl
# scripts/check-meta.pl
#	Is META.json what the PGXN Meta Spec 1.0.0 (https://pgxn.org/spec/) asks
#	for, and do all that say the version say the same one?
#
# Prints what is wrong, one line each; exit status 1 if anything is.
use strict;
use warnings;
use JSON::PP;

my @wrong;
sub slurp
{
	my ($path) = @_;

	open my $file, '<:raw', $path or die "$path: $!\n";
	local $/;
	return scalar <$file>;
}
sub wrong { push @wrong, join '', @_ }

# check NAME, VALUE, TEST: is the value there, and as it should be?
sub check
{
	my ($name, $value, $test) = @_;

	return wrong("$name is missing") if !defined $value;
	wrong("$name is not valid: ", ref $value ? encode_json($value) : $value)
	  if !$test->($value);
}
sub string { my ($s) = @_; return !ref $s && length $s && $s !~ /[[:cntrl:]]/ }
sub term { return string(@_) && length $_[0] > 1 && $_[0] !~ m{[/\\]} }
sub tag { return string(@_) && length $_[0] <= 256 && $_[0] !~ m{[/\\]} }
sub url { return string(@_) && $_[0] =~ m{^[a-z][a-z+.-]*://\S+$} }

# MAJOR.MINOR.PATCH, and what may follow, as semver.org says.
sub version
{
	my $number = qr/0|[1-9][0-9]*/;
	return string(@_) && $_[0] =~ /^$number\.$number\.$number(?:-[A-Za-z][0-9A-Za-z-]*)?$/;
}
sub version_range
{
	return string(@_) && !grep {
		my $v = s/^\s*(?:<=?|>=?|==|!=)?\s*//r =~ s/\s+$//r;
		$v ne '0' && !version($v)
	} split /,/, $_[0];
}

# only NAME, MAP, KEY ...: keys nobody knows begin with x_.
sub only
{
	my ($name, $map, @known) = @_;
	my %known = map { $_ => 1 } @known;

	return wrong("$name is no object") if ref $map ne 'HASH';
	wrong("$name has an unknown key \"$_\"")
	  for grep { !$known{$_} && !/^x_/i } sort keys %$map;
}

my @licenses = qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd
  freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit
  mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib
  open_source restricted unrestricted unknown);

sub check_license
{
	my ($license) = @_;
	my %known = map { $_ => 1 } @licenses;

	return !grep { !url($_) } values %$license if ref $license eq 'HASH';
	my @all = ref $license eq 'ARRAY' ? @$license : $license;
	return @all && !grep { ref $_ || !$known{$_} } @all;
}

sub check_prereqs
{
	my ($prereqs) = @_;

	only('prereqs', $prereqs, qw(configure build test runtime develop));
	for my $phase (sort grep { !/^x_/i } keys %$prereqs)
	{
		my $relations = $prereqs->{$phase};

		only("prereqs.$phase", $relations, qw(requires recommends suggests conflicts));
		for my $relation (sort grep { !/^x_/i } keys %$relations)
		{
			check("prereqs.$phase.$relation.$_", $relations->{$relation}{$_}, \&version_range)
			  for sort keys %{ $relations->{$relation} };
		}
	}
}

sub check_provides
{
	my ($provides) = @_;

	return wrong('provides is no object') if ref $provides ne 'HASH';
	wrong('provides is empty') if !%$provides;
	for my $name (sort keys %$provides)
	{
		my $one = $provides->{$name};

		check('provides', $name, \&term);
		only("provides.$name", $one, qw(file version abstract docfile));
		check("provides.$name.version", $one->{version}, \&version);
		check("provides.$name.file", $one->{file}, sub { -f $_[0] });
		check("provides.$name.docfile", $one->{docfile}, sub { -f $_[0] })
		  if exists $one->{docfile};
		check("provides.$name.abstract", $one->{abstract}, \&string)
		  if exists $one->{abstract};
	}
}

sub check_resources
{
	my ($resources) = @_;

	only('resources', $resources, qw(homepage bugtracker repository));
	check('resources.homepage', $resources->{homepage}, \&url)
	  if exists $resources->{homepage};
	for my $part (['bugtracker', qw(web mailto)], ['repository', qw(url web type)])
	{
		my ($name, @keys) = @$part;
		only("resources.$name", $resources->{$name}, @keys) if exists $resources->{$name};
	}
}

my $meta = eval { decode_json(slurp('META.json')) }
  or die "META.json is no JSON: $@";
only('META.json', $meta, qw(abstract description generated_by license
	maintainer meta-spec name no_index prereqs provides release_status
	resources tags version));
check('name', $meta->{name}, \&term);
check('version', $meta->{version}, \&version);
check('abstract', $meta->{abstract}, \&string);
check('license', $meta->{license}, \&check_license);
check('maintainer', $meta->{maintainer}, sub {
	my @all = ref $_[0] eq 'ARRAY' ? @{ $_[0] } : $_[0];
	return @all && !grep { !string($_) } @all;
});
only('meta-spec', $meta->{'meta-spec'}, qw(version url));
check('meta-spec.version', $meta->{'meta-spec'}{version}, sub { $_[0] eq '1.0.0' });
check('meta-spec.url', $meta->{'meta-spec'}{url}, sub { $_[0] =~ m{^https?://pgxn\.org/meta/spec\.txt$} })
  if exists $meta->{'meta-spec'}{url};
check($_, $meta->{$_}, \&string) for grep { exists $meta->{$_} } qw(description generated_by);
check('release_status', $meta->{release_status}, sub { $_[0] =~ /^(?:stable|testing|unstable)$/ })
  if exists $meta->{release_status};
check('tags', $meta->{tags}, sub {
	my %seen;
	return ref $_[0] eq 'ARRAY' && !grep { !tag($_) || $seen{$_}++ } @{ $_[0] };
}) if exists $meta->{tags};
check_prereqs($meta->{prereqs}) if exists $meta->{prereqs};
check_provides($meta->{provides});
check_resources($meta->{resources}) if exists $meta->{resources};

# The version is said in five places.
my ($name, $version) = @$meta{qw(name version)};
my %says = ('META.json, provides' => $meta->{provides}{$name}{version});
($says{Makefile}) = slurp('Makefile') =~ /^EXTVERSION\s*=\s*(\S+)/m;
($says{"$name.control"}) = slurp("$name.control") =~ /^default_version\s*=\s*'(.*)'/m;
($says{'debian/changelog'}) = slurp('debian/changelog') =~ /^\S+ \((.*)-[^-]*\)/;
for my $place (sort keys %says)
{
	wrong("$place says version ", $says{$place} // '(none)', ", META.json says $version")
	  if ($says{$place} // '') ne $version;
}

print "$_\n" for @wrong;
exit(@wrong ? 1 : 0);
