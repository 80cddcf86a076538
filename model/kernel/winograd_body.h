/*
 * model/kernel/winograd_body.h
 *	  Transforms of Winograd's F(4x4, 3x3) (Lavin and Gray, CVPR 2016), for
 *	  whatever vectors the including file has; after tile_body.h.
 *
 * Interpolation points 0, +-a, +-b and infinity with a = 3/4 and b = 3/2.  The
 * usual 0, +-1, +-2 make the same transforms with fewer multiplications and
 * twice the rounding error; with these the error is twice that of a direct
 * float32 convolution, and the constants of B and A are exact.
 *
 *	  B^T = [ aabb    0  -aa-bb     0     1  0 ]	A^T = [ 1  1   1   1   1  0
 *] [  0   -abb    -bb      a     1  0 ]	      [ 0  a  -a   b  -b  0 ] [  0
 *abb    -bb     -a     1  0 ]	      [ 0 aa  aa  bb  bb  0 ] [  0   -aab -aa
 *b     1  0 ]	      [ 0 a^3 -a^3 b^3 -b^3 1 ] [  0    aab    -aa     -b     1
 *0 ] [  0   aabb      0  -aa-bb    0  1 ]
 *
 * and G has the rows (1, p, p^2) / f for each point p, f the product of its
 * differences to the other finite points, and (0, 0, 1).
 */
#define POINT_A ((float) 0.75)
#define POINT_B ((float) 1.5)
#define AA ((float) 0.5625)
#define BB ((float) 2.25)
#define AAA ((float) 0.421875)
#define BBB ((float) 3.375)
#define AABB ((float) 1.265625)
#define AA_BB ((float) 2.8125)
/* f of 0, of +-a (2 aa (aa - bb)) and of +-b (2 bb (bb - aa)) */
#define G_0 ((float) (1 / 1.265625))
#define G_A ((float) (1 / -1.8984375))
#define G_B ((float) (1 / 7.59375))

/* B^T times six values. */
INLINE void
input_line(const vec d[6], vec out[6])
{
	const vec a = d[4] - BB * d[2];
	const vec b = POINT_A * (d[3] - BB * d[1]);
	const vec c = d[4] - AA * d[2];
	const vec e = POINT_B * (d[3] - AA * d[1]);

	out[0] = AABB * d[0] - AA_BB * d[2] + d[4];
	out[1] = a + b;
	out[2] = a - b;
	out[3] = c + e;
	out[4] = c - e;
	out[5] = AABB * d[1] - AA_BB * d[3] + d[5];
}

/* B^T d of channels c and on. */
INLINE void
input_columns(const float *const *d, int c, vec half[6][6])
{
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
}

static void
wino_input(int n, const float *const *d, float *v, size_t plane)
{
	for (int c = 0; c < n; c += LANES)
	{
		vec half[6][6];

		input_columns(d, c, half);
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
	out[1] = POINT_A * b + POINT_B * e;
	out[2] = AA * a + BB * c;
	out[3] = AAA * b + BBB * e + m[5];
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
					x *= load(scale + c);
				if (shift != NULL)
					x += load(shift + c);
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
	const vec a = d[0] + AA * d[2];
	const vec b = POINT_A * d[1] + AAA * d[3];
	const vec c = d[0] + BB * d[2];
	const vec e = POINT_B * d[1] + BBB * d[3];

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
	const vec a = G_A * (g[0] + AA * g[2]);
	const vec b = G_A * POINT_A * g[1];
	const vec c = G_B * (g[0] + BB * g[2]);
	const vec e = G_B * POINT_B * g[1];

	out[0] = G_0 * g[0];
	out[1] = a + b;
	out[2] = a - b;
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
	const vec a = G_A * (m[1] + m[2]);
	const vec c = G_B * (m[3] + m[4]);

	out[0] = G_0 * m[0] + a + c;
	out[1] = G_A * POINT_A * (m[1] - m[2]) + G_B * POINT_B * (m[3] - m[4]);
	out[2] = AA * a + BB * c + m[5];
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
