/* @{title}
 *
 * The first graph of the file with SHA-256
 *   @{source_sha256},
 * alone, as TensorFlow Lite Micro takes it; the array's own SHA-256 is
 *   @{sha256}.
 *
@{signature}
 *
 * The arena is the smallest in which @{engine} prepared the model
 * on a machine with pointers of 8 bytes; where they have 4, less is enough.
 */
#ifndef MODEL_DATA_H_
#define MODEL_DATA_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MODEL_SIZE @{size}u
#define MODEL_ARENA_BYTES @{arena}u

/* Aligned to 16 bytes. */
extern const uint8_t model_data[MODEL_SIZE];

#ifdef __cplusplus
}
#endif

#endif
