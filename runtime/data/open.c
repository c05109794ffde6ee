/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

linnet_dataset *linnet_dataset_open(linnet_context *context, const char *folder, linnet_part part)
{
    struct stat info;
    if (!folder || linnet_idx_found(folder))
        return linnet_dataset_open_idx(context, folder, part);
    if (linnet_cifar_found(folder))
        return linnet_dataset_open_cifar(context, folder, part);
    if (stat(folder, &info))
        linnet_fail(context, LINNET_IO, "%s: %s", folder, strerror(errno));
    else
        linnet_fail(context, LINNET_NOT_FOUND,
                    "%s: no files of MNIST (train-images-idx3-ubyte) or CIFAR (data_batch_1.bin) in this folder",
                    folder);
    return NULL;
}
