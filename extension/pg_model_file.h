/*
 * extension/pg_model_file.h
 *	  What the two sides of a model file agree on (docs/network.md, 6).
 *
 * A safetensors file whose __metadata__ has these keys.  The first three make
 * it a model that scores; the others say where it comes from, and are there
 * when mmrd wrote the file.  The last three are JSON objects.
 */
#ifndef MMRD_PG_MODEL_FILE_H
#define MMRD_PG_MODEL_FILE_H

#define MMRD_MODEL_FILE_FORMAT "format"
#define MMRD_MODEL_FILE_FORMAT_VALUE "mmrd-model"
#define MMRD_MODEL_FILE_VERSION "format_version"
#define MMRD_MODEL_FILE_VERSION_VALUE "1"

/* arch, n_aux, and every option of the training. */
#define MMRD_MODEL_FILE_CONFIG "config"
/* Columns of mmrd.versions: source, scans, scans_sha256, seed, ... */
#define MMRD_MODEL_FILE_TRAINING "training"
/* The newest row of mmrd.calibrations. */
#define MMRD_MODEL_FILE_CALIBRATION "calibration"

#endif /* MMRD_PG_MODEL_FILE_H */
