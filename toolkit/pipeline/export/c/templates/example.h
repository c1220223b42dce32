/* One call: the inputs as an app has them and as the model takes them, and the outputs that it gave where it was exported. */
#ifndef EXAMPLE_H_
#define EXAMPLE_H_

#ifdef __cplusplus
extern "C" {
#endif

extern const void *const example_real[];
extern const void *const example_encoded[];
extern const void *const example_expected[];

#ifdef __cplusplus
}
#endif

#endif
