/* SPDX-License-Identifier: Apache-2.0 */
/* A backend that computes with another one's table and then does one thing wrong. In this process only. */
#ifndef FAULTY_BACKEND_H
#define FAULTY_BACKEND_H

#include "device/device.h"

typedef enum fault {
    FAULT_NONE,
    FAULT_OUTPUT_ULP,         /* one element of the output, one ulp */
    FAULT_OUTPUT_SMALL,       /* one element of the output, by a ten-thousandth; conv2d claims Winograd's class */
    FAULT_OUTPUT_UNWRITTEN,   /* the last element stays as it was */
    FAULT_WRITES_BEHIND,      /* four bytes behind the output */
    FAULT_WRITES_BEFORE,      /* four bytes in front of the output */
    FAULT_CHANGES_INPUT,      /* an element of the input */
    FAULT_CHANGES_PARAMETER,  /* an element of the weight */
    FAULT_NONDETERMINISTIC,   /* every other run one ulp off; conv2d claims Winograd's class */
    FAULT_NO_ACCUMULATION,    /* overwrites gradients that are to be added to */
    FAULT_INPUT_GRADIENT,     /* one element of it, one ulp */
    FAULT_PARAMETER_GRADIENT, /* one element of the last one, one ulp */
    FAULT_UNWANTED_GRADIENT,  /* writes over a tensor when asked for the inputs' gradient only */
    FAULT_REFUSES_PARAMETERS, /* no candidate for the parameters' gradients alone */
    FAULT_IGNORES_STRIDE,     /* takes strided tensors for dense ones */
    FAULT_FALSE_IN_PLACE,     /* claims that any layer works in place */
    FAULT_FALSE_ALIAS,        /* claims that nothing need be done */
    FAULT_STATE,              /* forgets to update the running statistics */
    FAULT_SEED,               /* dropout with a mask of its own */
    FAULT_FAILS,              /* run returns an error */
    FAULT_NO_MEMORY,          /* there is no memory for any buffer */
    FAULT_SCALE,              /* outputs 1/16 too large, gradients not: in the reference only differences see it */
    FAULT_OPTIMIZER,          /* a step slightly too large */
    FAULT_FILL,               /* fill forgets its last word */
    FAULT_COPY,               /* copy does nothing */
    FAULT_LEAK                /* loses an object */
} fault;

/* A device that behaves like `original` but for the fault. Copies no ownership: close the original only. One at a time.
 */
linnet_device faulty_device(const linnet_device *original, fault which);

#endif
