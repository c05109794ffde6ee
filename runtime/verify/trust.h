/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First use: a device whose kernels a driver compiles on the user's machine (LINNET_CAPABILITY_COMPILED_HERE) may
 * compute wrong for reasons that nobody saw before. So an implementation is compared with the reference before a plan
 * first uses it: by the quick cases of its layer, and where the device names its kernels by those runs that reach the
 * kernels of the plan and no others, looked for in the larger cases, too, until each has run. What was found is kept in
 * the cache directory under the device, its driver, this Linnet and the plugin's file; where a call failed it holds for
 * this process alone, since a full disk passes. What fails is left out: another implementation is taken, then all of
 * them built without the driver's optimisations (set_plain), then another device; each wrong kernel is said once.
 * LINNET_CHECK=never does without. Internal.
 */
#ifndef LINNET_VERIFY_TRUST_H
#define LINNET_VERIFY_TRUST_H

#include "../core/core.h"
#include "../core/text.h"
#include "../device/device.h"

/* Did this implementation of a desc's layer, in its direction, fail? Checks nothing. */
bool linnet_trust_is_bad(linnet_device *device, const linnet_layer_desc *desc, const char *implementation);
/* Checks it unless that was done; false: it failed, which is said. reads_saved: it goes back from what the forward one
   saved, and where that is wrong there is no more to be said of it. */
bool linnet_trust_check(linnet_device *device, const linnet_layer_desc *desc, const char *implementation,
                        bool reads_saved);
/* From now on the layer's plans are built without optimisation, and all its implementations count as not checked.
   false: that is so already, or the device cannot. */
bool linnet_trust_plain(linnet_device *device, uint32_t kind);
/* The same for steps of an optimiser, which has one implementation; built plainly where need be. false: it is wrong. */
bool linnet_trust_optimizer(linnet_device *device, uint32_t kind);
/* Appends "verdicts: 12 passed", and "verdict: failed conv2d panel" for each that is no pass. */
void linnet_trust_describe(linnet_device *device, linnet_text *text);
void linnet_trust_free(linnet_device *device);

/* ---- trust_file.c ---- */

typedef enum linnet_verdict { LINNET_VERDICT_PASSED = 1, LINNET_VERDICT_FAILED, LINNET_VERDICT_PLAIN } linnet_verdict;

enum { LINNET_TRUST_NAME = 144 };

typedef struct linnet_trust_entry {
    linnet_verdict verdict; /* PLAIN: of the layer as a whole, implementation "" */
    bool passes; /* calls failed, for whatever reason, or what is built plainly for that: for this process, not written
                  */
    char layer[32];
    /* "panel"; "panel<direct": direct goes back from panel. Of devices that name their kernels "panel#" and a sum of
       the names of those that were compared: others behind the same name are compared by themselves. */
    char implementation[LINNET_TRUST_NAME];
} linnet_trust_entry;

enum { LINNET_TRUST_KERNEL = 192 };

typedef struct linnet_trust_kernel {
    char name[LINNET_TRUST_KERNEL];
    bool plain; /* built without optimisation */
    bool wrong; /* and told of; else it is right */
} linnet_trust_kernel;

typedef struct linnet_trust {
    linnet_trust_entry *entries;
    size_t count, capacity;
    linnet_trust_kernel *kernels; /* that were compared in this process */
    size_t kernel_count, kernel_capacity;
    bool cannot;      /* there is nothing to compare with: said */
    bool broken_said; /* that a call failed: said once, for those that fail after it, too */
} linnet_trust;

/* FNV-1a. */
uint64_t linnet_trust_sum(const char *bytes, size_t count);
linnet_trust_entry *linnet_trust_find(linnet_trust *trust, const char *layer, const char *implementation);
/* false: no memory. */
bool linnet_trust_put(linnet_trust *trust, linnet_verdict verdict, const char *layer, const char *implementation,
                      bool passes);
/* Any bytes: a file that makes no sense counts as none. */
void linnet_trust_read(linnet_device *device, linnet_trust *trust);
/* Best effort. */
void linnet_trust_write(linnet_device *device, const linnet_trust *trust);

/* ---- trust_kernels.c ---- */

/* These ("gemm_panel,reduce") were compared, and right. */
void linnet_trust_kernels_right(linnet_trust *trust, const char *names, bool plain);
/* One of these is wrong. How many may be it, with their names ("gemm_panel, reduce") appended; 0: it is one that was
   told of before. */
size_t linnet_trust_kernels_wrong(linnet_trust *trust, const char *names, bool plain, linnet_text *out_suspects);

#endif
