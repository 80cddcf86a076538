/*
 * model/score/radix_sort_body.h
 *	  The text of one sort; radix_sort.c includes it once for each width.
 *
 * KEY is the type, NAME(x) gives a function its own name.
 */

/* Small pieces: shifting neighbours beats counting 256 buckets. */
static void
NAME(insertion)(KEY *keys, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		const KEY k = keys[i];
		size_t j = i;

		for (; j > 0 && keys[j - 1] > k; j--)
			keys[j] = keys[j - 1];
		keys[j] = k;
	}
}

/*
 * Sort keys that agree in all bits above shift + 8.  Recursion is at most
 * sizeof(KEY) deep.
 */
static bool
NAME(flag)(KEY *keys, size_t n, int shift, const mmrd_stop *stop)
{
	size_t next[BUCKETS] = {0}; /* where a bucket's next key goes */
	size_t end[BUCKETS];
	size_t at = 0;

	if (n <= SMALL)
	{
		NAME(insertion)(keys, n);
		return true;
	}
	for (size_t i = 0; i < n; i++)
		next[keys[i] >> shift & (BUCKETS - 1)]++;
	for (int b = 0; b < BUCKETS; b++)
	{
		end[b] = at + next[b];
		next[b] = at;
		at = end[b];
	}

	/* Every key moves once: into its bucket, whose occupant moves on. */
	for (int b = 0; b < BUCKETS; b++)
		while (next[b] < end[b])
		{
			KEY k = keys[next[b]];
			int home = (int) (k >> shift & (BUCKETS - 1));

			while (home != b)
			{
				const KEY other = keys[next[home]];

				keys[next[home]++] = k;
				k = other;
				home = (int) (k >> shift & (BUCKETS - 1));
			}
			keys[next[b]++] = k;
		}

	if (shift == 0)
		return true;
	at = 0;
	for (int b = 0; b < BUCKETS; b++)
	{
		if (end[b] - at > ASK_EVERY && stop_asked(stop))
			return false;
		if (!NAME(flag)(keys + at, end[b] - at, shift - 8, stop))
			return false;
		at = end[b];
	}
	return true;
}
