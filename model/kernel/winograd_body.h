/*
 * model/kernel/winograd_body.h
 *	  Transforms of Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016), for
 *	  whatever vectors the including file has; after tile_body.h.
 *
 * With points 0, 1, -1, 2, -2 and infinity:
 *
 *	  B^T = [ 4  0 -5  0  1  0 ]	A^T = [ 1  1  1  1  1  0 ]
 *	        [ 0 -4 -4  1  1  0 ]	      [ 0  1 -1  2 -2  0 ]
 *	        [ 0  4 -4 -1  1  0 ]	      [ 0  1  1  4  4  0 ]
 *	        [ 0 -2 -1  2  1  0 ]	      [ 0  1 -1  8 -8  1 ]
 *	        [ 0  2 -1 -2  1  0 ]
 *	        [ 0  4  0 -5  0  1 ]
 *
 *	  G^T = [ 1/4 -1/6 -1/6  1/24  1/24  0 ]
 *	        [  0  -1/6  1/6  1/12 -1/12  0 ]
 *	        [  0  -1/6 -1/6  1/6   1/6   1 ]
 */

/* One column of B^T times six values. */
INLINE void
input_line(const vec d[6], vec out[6])
{
	const vec a = d[4] - 4 * d[2];
	const vec b = d[3] - 4 * d[1];
	const vec c = d[4] - d[2];
	const vec e = 2 * (d[3] - d[1]);

	out[0] = 4 * d[0] - 5 * d[2] + d[4];
	out[1] = a + b;
	out[2] = a - b;
	out[3] = c + e;
	out[4] = c - e;
	out[5] = 4 * d[1] - 5 * d[3] + d[5];
}

static void
wino_input(int n, const float *const *d, float *v, size_t plane)
{
	for (int c = 0; c < n; c += LANES)
	{
		vec half[6][6]; /* B^T d, column by column */

		for (int j = 0; j < 6; j++)
		{
			vec column[6];
			vec out[6];

			for (int i = 0; i < 6; i++)
				column[i] = load(d[i * 6 + j] + c);
			input_line(column, out);
			for (int i = 0; i < 6; i++)
				half[i][j] = out[i];
		}
		for (int i = 0; i < 6; i++)
		{
			vec out[6];

			input_line(half[i], out);
			for (int j = 0; j < 6; j++)
				store(v + (size_t) (i * 6 + j) * plane + c, out[j]);
		}
	}
}

/* A^T times six values. */
INLINE void
output_line(const vec m[6], vec out[4])
{
	const vec a = m[1] + m[2];
	const vec b = m[1] - m[2];
	const vec c = m[3] + m[4];
	const vec e = m[3] - m[4];

	out[0] = m[0] + a + c;
	out[1] = b + 2 * e;
	out[2] = a + 4 * c;
	out[3] = b + 8 * e + m[5];
}

static void
wino_output(int n, const float *m, size_t plane, float *const *y,
            const float *const *res, const float *scale, const float *shift,
            bool relu)
{
	for (int c = 0; c < n; c += LANES)
	{
		vec half[4][6];

		for (int j = 0; j < 6; j++)
		{
			vec column[6];
			vec out[4];

			for (int i = 0; i < 6; i++)
				column[i] = load(m + (size_t) (i * 6 + j) * plane + c);
			output_line(column, out);
			for (int i = 0; i < 4; i++)
				half[i][j] = out[i];
		}
		for (int i = 0; i < 4; i++)
		{
			vec out[4];

			output_line(half[i], out);
			for (int j = 0; j < 4; j++)
			{
				vec x = out[j];

				if (y[i * 4 + j] == NULL)
					continue;
				if (scale != NULL)
					x = x * load(scale + c) + load(shift + c);
				if (res != NULL)
					x += load(res[i * 4 + j] + c);
				if (relu)
					x = rectify(x);
				store(y[i * 4 + j] + c, x);
			}
		}
	}
}

/* A times four values. */
INLINE void
gradient_line(const vec d[4], vec out[6])
{
	const vec a = d[0] + d[2];
	const vec b = d[1] + d[3];
	const vec c = d[0] + 4 * d[2];
	const vec e = 2 * d[1] + 8 * d[3];

	out[0] = d[0];
	out[1] = a + b;
	out[2] = a - b;
	out[3] = c + e;
	out[4] = c - e;
	out[5] = d[3];
}

static void
wino_gradient(int n, const float *const *dy, float *z, size_t plane)
{
	for (int c = 0; c < n; c += LANES)
	{
		vec half[6][4];

		for (int j = 0; j < 4; j++)
		{
			vec column[4];
			vec out[6];

			for (int i = 0; i < 4; i++)
				column[i] = load(dy[i * 4 + j] + c);
			gradient_line(column, out);
			for (int i = 0; i < 6; i++)
				half[i][j] = out[i];
		}
		for (int i = 0; i < 6; i++)
		{
			vec out[6];

			gradient_line(half[i], out);
			for (int j = 0; j < 6; j++)
				store(z + (size_t) (i * 6 + j) * plane + c, out[j]);
		}
	}
}

/* G times three values. */
INLINE void
weight_line(const vec g[3], vec out[6])
{
	const vec a = (g[0] + g[2]) * (-1.0f / 6);
	const vec b = g[1] * (1.0f / 6);
	const vec c = g[0] * (1.0f / 24) + g[2] * (1.0f / 6);
	const vec e = g[1] * (1.0f / 12);

	out[0] = g[0] * 0.25f;
	out[1] = a - b;
	out[2] = a + b;
	out[3] = c + e;
	out[4] = c - e;
	out[5] = g[2];
}

static void
wino_weight(int n, const float *g, float *u, size_t plane)
{
	for (int o = 0; o < n; o += LANES)
	{
		vec half[6][3];

		for (int j = 0; j < 3; j++)
		{
			vec column[3];
			vec out[6];

			for (int i = 0; i < 3; i++)
				column[i] = load(g + (size_t) (i * 3 + j) * n + o);
			weight_line(column, out);
			for (int i = 0; i < 6; i++)
				half[i][j] = out[i];
		}
		for (int i = 0; i < 6; i++)
		{
			vec out[6];

			weight_line(half[i], out);
			for (int j = 0; j < 6; j++)
				store(u + (size_t) (i * 6 + j) * plane + o, out[j]);
		}
	}
}

/* G^T times six values. */
INLINE void
weight_back_line(const vec m[6], vec out[3])
{
	const vec a = (m[1] + m[2]) * (1.0f / 6);
	const vec b = (m[2] - m[1]) * (1.0f / 6);
	const vec c = m[3] + m[4];
	const vec e = m[3] - m[4];

	out[0] = m[0] * 0.25f - a + c * (1.0f / 24);
	out[1] = b + e * (1.0f / 12);
	out[2] = c * (1.0f / 6) - a + m[5];
}

static void
wino_weight_back(int n, const float *u, size_t plane, float *g, size_t g_step)
{
	for (int o = 0; o < n; o += LANES)
	{
		vec half[3][6];

		for (int j = 0; j < 6; j++)
		{
			vec column[6];
			vec out[3];

			for (int i = 0; i < 6; i++)
				column[i] = load(u + (size_t) (i * 6 + j) * plane + o);
			weight_back_line(column, out);
			for (int i = 0; i < 3; i++)
				half[i][j] = out[i];
		}
		for (int i = 0; i < 3; i++)
		{
			vec out[3];

			weight_back_line(half[i], out);
			for (int j = 0; j < 3; j++)
				store(g + (size_t) (i * 3 + j) * g_step + o, out[j]);
		}
	}
}
