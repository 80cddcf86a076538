/*
 * model/score/palette.c
 *	  Inferno, viridis, turbo, grey.
 *
 * Inferno and viridis (van der Walt and Smith for Matplotlib, CC0) are kept
 * as every eighth colour with straight lines between, which is within 2 of
 * 255 of the full tables.  "Turbo" is a polynomial of degree 8 of our own,
 * fitted to the look of Google's colour map of that name: within 11 of 255,
 * not the same colours.
 */
#include "model/score/palette.h"

#include <math.h>
#include <string.h>

enum
{
	KNOTS = 33,
	TERMS = 9
};

static const uint8_t INFERNO[KNOTS][3] = {
    {0, 0, 4},      {4, 3, 18},     {11, 7, 36},     {21, 11, 55},
    {33, 12, 74},   {46, 10, 90},   {60, 9, 101},    {74, 12, 107},
    {87, 16, 109},  {99, 20, 110},  {112, 25, 110},  {125, 30, 109},
    {137, 34, 106}, {150, 39, 102}, {163, 43, 97},   {175, 49, 92},
    {187, 55, 85},  {198, 62, 77},  {209, 70, 68},   {219, 79, 59},
    {227, 89, 50},  {235, 101, 40}, {241, 113, 30},  {246, 127, 20},
    {249, 141, 10}, {251, 156, 6},  {252, 171, 15},  {251, 186, 31},
    {249, 202, 50}, {245, 217, 73}, {242, 232, 101}, {243, 245, 134},
    {252, 255, 164}};

static const uint8_t VIRIDIS[KNOTS][3] = {
    {68, 1, 84},    {71, 13, 96},   {72, 24, 106},  {72, 35, 116},
    {71, 45, 123},  {69, 54, 129},  {66, 64, 134},  {63, 73, 137},
    {59, 82, 139},  {55, 90, 141},  {51, 99, 141},  {47, 106, 142},
    {44, 114, 142}, {41, 122, 142}, {38, 129, 142}, {35, 137, 142},
    {33, 144, 140}, {31, 152, 139}, {31, 159, 136}, {33, 166, 133},
    {40, 174, 128}, {49, 181, 123}, {62, 188, 116}, {76, 194, 108},
    {93, 201, 99},  {110, 206, 88}, {130, 211, 76}, {150, 216, 63},
    {171, 220, 50}, {192, 223, 36}, {213, 226, 26}, {234, 229, 26},
    {253, 231, 37}};

/* Coefficients of t^0 ..; in double, for they cancel to a thousandth. */
static const double TURBO[3][TERMS] = {
    {0.231617, -3.172509, 95.107293, -849.047580, 3350.557991, -6804.216024,
     7491.515980, -4271.884043, 991.403844},
    {0.067375, 3.440036, -12.003610, 88.524951, -342.757470, 698.399735,
     -819.145077, 520.661747, -137.178398},
    {0.221599, 8.466895, -37.706377, 190.142975, -1016.493400, 2844.247480,
     -3996.096656, 2742.272450, -735.070492}};

mmrd_status
mmrd_palette_find(const char *name, mmrd_palette *palette, mmrd_error *err)
{
	static const struct
	{
		const char *name;
		mmrd_palette palette;
	} known[] = {{"inferno", MMRD_PALETTE_INFERNO},
	             {"viridis", MMRD_PALETTE_VIRIDIS},
	             {"turbo", MMRD_PALETTE_TURBO},
	             {"grey", MMRD_PALETTE_GREY},
	             {"gray", MMRD_PALETTE_GREY}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i].name) == 0)
		{
			*palette = known[i].palette;
			return MMRD_OK;
		}
	mmrd_fail(err, MMRD_INVALID_ARGUMENT, "unknown palette \"%s\"", name);
	return mmrd_hint(err, "Palettes are inferno, viridis, turbo and grey.");
}

static uint8_t
between_knots(const uint8_t knots[KNOTS][3], double t, int channel)
{
	const double x = t * (KNOTS - 1);
	const int low = x < KNOTS - 2 ? (int) x : KNOTS - 2;
	const double a = knots[low][channel];
	const double b = knots[low + 1][channel];

	return (uint8_t) lrint(a + (b - a) * (x - low));
}

static uint8_t
turbo_at(double t, int channel)
{
	double sum = 0;

	for (int k = TERMS - 1; k >= 0; k--)
		sum = sum * t + TURBO[channel][k];
	return sum <= 0 ? 0 : sum >= 1 ? 255 : (uint8_t) lrint(255 * sum);
}

void
mmrd_palette_fill(mmrd_palette palette, uint8_t colours[MMRD_PALETTE_STEPS][3])
{
	for (int i = 0; i < MMRD_PALETTE_STEPS; i++)
		for (int k = 0; k < 3; k++)
		{
			const double t = (double) i / (MMRD_PALETTE_STEPS - 1);

			switch (palette)
			{
				case MMRD_PALETTE_INFERNO:
					colours[i][k] = between_knots(INFERNO, t, k);
					break;
				case MMRD_PALETTE_VIRIDIS:
					colours[i][k] = between_knots(VIRIDIS, t, k);
					break;
				case MMRD_PALETTE_TURBO:
					colours[i][k] = turbo_at(t, k);
					break;
				case MMRD_PALETTE_GREY:
					colours[i][k] = (uint8_t) i;
					break;
			}
		}
}

int
mmrd_palette_step(float value, float lo, float hi)
{
	const double range = (double) hi - lo;

	if (!(value > lo))
		return 0;
	if (value >= hi)
		return MMRD_PALETTE_STEPS - 1;
	return (int) lrint(((double) value - lo) / range *
	                   (MMRD_PALETTE_STEPS - 1));
}

mmrd_status
mmrd_palette_check_range(float lo, float hi, mmrd_error *err)
{
	if (isfinite(lo) && isfinite(hi) && lo <= hi)
		return MMRD_OK;
	mmrd_fail(err, MMRD_INVALID_ARGUMENT, "range of colours is impossible");
	return mmrd_detail(err,
	                   "It runs from %g to %g; both must be finite and the "
	                   "first no larger than the second.",
	                   (double) lo, (double) hi);
}

mmrd_status
mmrd_palette_paint(const mmrd_map_view *map, mmrd_palette palette, float lo,
                   float hi, mmrd_raster *out, mmrd_error *err)
{
	/* The map is in memory already, so its size needs no other limit. */
	const mmrd_raster_limits limits = {INT64_MAX, SIZE_MAX};
	mmrd_raster picture = {MMRD_SAMPLE_U8, 3, map->info.height,
	                       map->info.width, NULL};
	uint8_t colours[MMRD_PALETTE_STEPS][3];
	size_t n;

	memset(out, 0, sizeof(*out));
	MMRD_TRY(mmrd_palette_check_range(lo, hi, err));
	MMRD_TRY(mmrd_raster_allocate(&picture, &limits, err));
	mmrd_palette_fill(palette, colours);
	n = (size_t) map->info.height * (size_t) map->info.width;
	for (size_t p = 0; p < n; p++)
		memcpy((uint8_t *) picture.data + 3 * p,
		       colours[mmrd_palette_step(map->values[p], lo, hi)], 3);
	*out = picture;
	return MMRD_OK;
}
