/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data to learn from: datasets of labelled images, and loaders that cut them into batches.
 *
 *     linnet_dataset *digits = linnet_dataset_open(NULL, "mnist", LINNET_PART_TRAIN);
 *     linnet_loader *train = linnet_loader_new(NULL, digits, .batch = 64, .shuffle = 1, .seed = 7);
 *     for (int epoch = 0; epoch < 2; epoch++) {
 *         linnet_batch batch;
 *         while (linnet_loader_next(train, &batch))
 *             ...
 *     }
 *     linnet_loader_free(&train);
 *     linnet_dataset_free(&digits);
 *
 * Constructors return NULL when they fail; linnet_context_last_status and linnet_context_message say why.
 * A dataset never changes once it is made and may be used from several threads and loaders at once; it must outlive its
 * loaders. A loader belongs to one thread at a time.
 */
#ifndef LINNET_DATA_H
#define LINNET_DATA_H

#include "context.h"
#include "image.h"
#include "tensor.h"

#include <stdbool.h>

LINNET_BEGIN_DECLS

/* ---- Datasets ---- */

typedef struct linnet_dataset linnet_dataset;

typedef enum linnet_part { LINNET_PART_TRAIN = 1, LINNET_PART_TEST = 2 } linnet_part;

/* What concerns folders of pictures; zero means the default. */
typedef struct linnet_folder_options {
    uint32_t struct_size;
    int32_t channels;      /* 1 grey, 3 RGB; default 3, or 1 when the first training picture is grey */
    int32_t height, width; /* all pictures are brought to this size; default (both 0): the size of the first training
                              picture, made smaller so that no side is longer than 224 */
    int64_t limit;         /* at most so many pictures are read; default: all */
} linnet_folder_options;

/* Finds out which of the kinds below lies in folder and opens it: files of MNIST, files of CIFAR, pictures, for which
   the options are: linnet_dataset_open(NULL, "flowers", LINNET_PART_TRAIN, .height = 64, .width = 64).
   LINNET_NOT_FOUND: none of them. */
#define linnet_dataset_open(context, folder, part, ...)                                                                \
    linnet_dataset_open_with(context, folder, part,                                                                    \
                             &(linnet_folder_options){.struct_size = sizeof(linnet_folder_options), __VA_ARGS__})
LINNET_API linnet_dataset *linnet_dataset_open_with(linnet_context *context, const char *folder, linnet_part part,
                                                    const linnet_folder_options *options);

/* MNIST, Fashion-MNIST and what is packed like them: ten classes of u8 images in IDX files, plain or gzip, under their
   usual names: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-..., also train-images.idx3-ubyte, each
   perhaps with .gz; in folder, or in raw/ or MNIST/raw/ under it. A folder with "fashion" in its path gets
   Fashion-MNIST's class names. LINNET_NOT_FOUND: no such file there. LINNET_BAD_FILE: damaged, cut short, too long, a
   label outside 0..9, images and labels that do not match. LINNET_LIMIT: more than LINNET_DATASET_MAX_BYTES. Messages
   name the file. */
LINNET_API linnet_dataset *linnet_dataset_open_idx(linnet_context *context, const char *folder, linnet_part part);
#define LINNET_DATASET_MAX_BYTES (INT64_C(1) << 33)

/* CIFAR-10 and CIFAR-100: 32x32 u8 pictures, three channels, in the binary files of their archives, plain or with .gz:
   of data_batch_1.bin to data_batch_5.bin those that are there, and test_batch.bin; CIFAR-100's train.bin and test.bin
   (labelled with the fine classes); in folder, or in cifar-10-batches-bin/ or cifar-100-binary/ under it. A file holds
   any number of whole records. Class names are read from batches.meta.txt or fine_label_names.txt beside them.
   Failures as above. */
LINNET_API linnet_dataset *linnet_dataset_open_cifar(linnet_context *context, const char *folder, linnet_part part);

/* Pictures in folders that are called as their classes: folder/<class>/<picture>.png, .jpg or .jpeg (in any case),
   classes and pictures in the order of their names' bytes; names that begin with a dot are left out. Where there are
   folders train/ and test/ (or val/) with such folders in them these are the parts, and all of them together name the
   classes. Else of every class the second picture and each fifth one after it are for testing, the others for training.
   A picture's middle, as much of it as has the wanted sides, is resized to height x width (linnet_image_cover); alpha
   is laid over white; u8. The order of the dataset is the first picture of each class, the second of each, ..., so that
   a loader's limit takes of all classes.
   Symbolic links are followed only as long as they stay within folder; others are left out with a warning.
   LINNET_NOT_FOUND: no such part, or no picture in it. LINNET_BAD_FILE, LINNET_IO: a picture that cannot be read, or a
   folder; the message names it. LINNET_LIMIT: more pictures, classes or bytes than below. */
#define linnet_dataset_open_folder(context, folder, part, ...)                                                         \
    linnet_dataset_open_folder_with(                                                                                   \
        context, folder, part, &(linnet_folder_options){.struct_size = sizeof(linnet_folder_options), __VA_ARGS__})
LINNET_API linnet_dataset *linnet_dataset_open_folder_with(linnet_context *context, const char *folder,
                                                           linnet_part part, const linnet_folder_options *options);
#define LINNET_FOLDER_MAX_PICTURES 4000000
#define LINNET_FOLDER_MAX_CLASSES  10000
#define LINNET_FOLDER_MAX_SIDE     224 /* of the default size */

/* Synthetic handwritten digits, 28x28, one channel, u8, light on dark, framed as MNIST is: pen strokes of our own
   design in several ways of writing each digit, with random slant, stretch, thickness, elastic distortion and noise.
   Every ten images in a row (0-9, 10-19, ...) hold each digit once, in random order. Image i depends on (seed, i)
   alone: two counts share their beginning, and a different seed gives fresh digits. count is at most 10,000,000. */
LINNET_API linnet_dataset *linnet_dataset_digits(linnet_context *context, uint64_t seed, int64_t count);

typedef struct linnet_dataset_options {
    uint32_t struct_size;           /* sizeof(linnet_dataset_options), or 0: the members of release 0.1 */
    int32_t class_count;            /* labels are 0 .. class_count-1; 0: one more than the largest label */
    const char *name;               /* copied; NULL: "arrays" */
    const char *const *class_names; /* class_count names, copied; NULL: "0", "1", ... */
} linnet_dataset_options;

/* Arrays in memory. images: u8 or f32, [N,C,H,W] or [N,H,W] (one channel); referenced, so they must stay as they are
   until the dataset is freed. labels: i32, i64 or u8, [N]; copied.
   linnet_dataset_from_arrays(NULL, &images, &labels, .class_count = 3). options may be NULL. */
#define linnet_dataset_from_arrays(context, images, labels, ...)                                                       \
    linnet_dataset_from_arrays_with(                                                                                   \
        context, images, labels,                                                                                       \
        &(linnet_dataset_options){.struct_size = sizeof(linnet_dataset_options), __VA_ARGS__})
LINNET_API linnet_dataset *linnet_dataset_from_arrays_with(linnet_context *context, const linnet_tensor *images,
                                                           const linnet_tensor *labels,
                                                           const linnet_dataset_options *options);

/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_dataset_free(linnet_dataset **dataset);

LINNET_API const char *linnet_dataset_name(const linnet_dataset *dataset);
LINNET_API int64_t linnet_dataset_count(const linnet_dataset *dataset);
LINNET_API int64_t linnet_dataset_channels(const linnet_dataset *dataset);
LINNET_API int64_t linnet_dataset_height(const linnet_dataset *dataset);
LINNET_API int64_t linnet_dataset_width(const linnet_dataset *dataset);
LINNET_API int32_t linnet_dataset_class_count(const linnet_dataset *dataset);
/* "7", "Trouser"; NULL for a number that is no class. Valid as long as the dataset. */
LINNET_API const char *linnet_dataset_class_name(const linnet_dataset *dataset, int32_t class_index);
/* Class of image index; -1 for an index that is none. */
LINNET_API int32_t linnet_dataset_label(const linnet_dataset *dataset, int64_t index);
/* A view of image index as it is stored, [C,H,W], u8 0..255 or f32. LINNET_INVALID for an index that is none. */
LINNET_API linnet_status linnet_dataset_image(const linnet_dataset *dataset, int64_t index, linnet_tensor *out_image);

/* ---- Batches: what a net is fed with ---- */

#define LINNET_MAX_FEEDS 32

typedef struct linnet_feed {
    const char *name; /* of the net's input */
    linnet_tensor tensor;
} linnet_feed;

typedef struct linnet_batch {
    uint32_t struct_size; /* sizeof(linnet_batch), set by whoever fills it */
    uint32_t feed_count;
    int64_t size; /* samples: dimension 0 of every feed */
    linnet_feed feeds[LINNET_MAX_FEEDS];
} linnet_batch;

/* ---- Loaders ---- */

typedef struct linnet_loader linnet_loader;

/* Zero always means the default. */
typedef struct linnet_loader_options {
    uint32_t struct_size; /* sizeof(linnet_loader_options), or 0: the members of release 0.1 */
    uint32_t batch;       /* samples a batch; default 64 */
    uint32_t shuffle;     /* 1: a new order every epoch, from (seed, epoch) alone; default: the dataset's order */
    uint32_t drop_last;   /* 1: leave out a last batch that would be smaller; default: deliver it with its true size */
    uint64_t seed;        /* of the shuffle */
    int64_t limit;        /* use only the first so many images; default: all */
    float mean[4];        /* per channel, subtracted after scaling to 0..1; default 0 */
    float deviation[4];   /* per channel, divided by after that; default 1 */
    const char *image_name; /* of the net's inputs, copied; default "image" */
    const char *label_name; /* default "label" */
    /* Augmentation, for training only. Where the crop of image index lies in an epoch, and whether it is flipped, say
       the words of linnet_philox (backend.h) with counter {index, 0x63726f70, epoch low, epoch high} and key {seed low,
       seed high}: its first row and column in the padded picture are words[0] and words[1] times (2 crop_padding + 1) /
       2^32, rounded down; then it is flipped when words[2] is at least 2^31. Batch, order and device do not matter. */
    uint32_t crop_padding; /* pixels of black added on each side, of which a crop of the old size is taken; default 0 */
    uint32_t flip;         /* 1: half of the images are mirrored, left and right; default: none */
} linnet_loader_options;

/* NULL with a message when options make no sense (a dataset with more than 4 channels has no mean or deviation), the
   dataset has no image within the limit, or there is no memory. options may be NULL. Takes all the memory it will ever
   need. */
#define linnet_loader_new(context, dataset, ...)                                                                       \
    linnet_loader_new_with(context, dataset,                                                                           \
                           &(linnet_loader_options){.struct_size = sizeof(linnet_loader_options), __VA_ARGS__})
LINNET_API linnet_loader *linnet_loader_new_with(linnet_context *context, const linnet_dataset *dataset,
                                                 const linnet_loader_options *options);
/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_loader_free(linnet_loader **loader);

/* The next batch: feed 0 the images, f32 [N,C,H,W], u8 pixels as (x / 255 - mean) / deviation and f32 ones as (x -
   mean) / deviation; feed 1 the labels, i32 [N]. N is options.batch, or what is left in the last batch of an epoch.
   false at the end of an epoch, with *out_batch untouched; the call after that starts the next epoch.
   The memory is the loader's and stays as it is until the SECOND next call: one batch may be on its way to a device
   while the next is made. */
LINNET_API bool linnet_loader_next(linnet_loader *loader, linnet_batch *out_batch);

/* From now on batches lie in memory pinned for the device (linnet_pinned_new), from which they are sent without being
   copied first where they can. Where nothing can be pinned it is usual memory, and that is LINNET_OK, too. The loader
   keeps the device open until it is freed, or pinned for another. What was delivered before is not there any more: no
   forward that was fed with it may be under way, or have failed (linnet_pinned_free); nor when the loader is freed.
   LINNET_INVALID: no loader or no device. LINNET_OUT_OF_MEMORY: nothing has changed. */
struct linnet_device;
LINNET_API linnet_status linnet_loader_pin(linnet_loader *loader, struct linnet_device *device);

/* Samples and batches in an epoch. */
LINNET_API int64_t linnet_loader_samples(const linnet_loader *loader);
LINNET_API int64_t linnet_loader_batches(const linnet_loader *loader);

/* Where the loader stands: the batch that the next call delivers. batch equals linnet_loader_batches() when the epoch's
   last one has been delivered and its end not been reported yet. */
typedef struct linnet_loader_position {
    uint64_t epoch; /* from 0 */
    int64_t batch;
} linnet_loader_position;

LINNET_API linnet_loader_position linnet_loader_tell(const linnet_loader *loader);
/* Goes on from there exactly as a loader with the same dataset and options that got there by itself. LINNET_INVALID: no
   such batch. */
LINNET_API linnet_status linnet_loader_seek(linnet_loader *loader, linnet_loader_position position);

/* ---- Somebody's own digit ---- */

/* Makes a picture of one digit look like MNIST's: any size, grey or colour, alpha, dark on light or light on dark
   (whatever the border is, is the background). Cut to the ink, longer side scaled to 20 pixels, centre of mass at the
   centre of 28x28. out_pixels: 28 * 28, 0 background to 1 ink. LINNET_NOT_FOUND: there is no ink. */
LINNET_API linnet_status linnet_digit_from_image(linnet_context *context, const linnet_image *image, float *out_pixels);

LINNET_END_DECLS
#endif
