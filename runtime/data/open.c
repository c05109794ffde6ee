/* SPDX-License-Identifier: Apache-2.0 */
#include "dataset.h"

linnet_dataset *linnet_dataset_open_with(linnet_context *context, const char *folder, linnet_part part,
                                         const linnet_folder_options *options)
{
    if (!folder || linnet_idx_found(folder))
        return linnet_dataset_open_idx(context, folder, part);
    if (linnet_cifar_found(folder))
        return linnet_dataset_open_cifar(context, folder, part);
    linnet_dataset *dataset = linnet_dataset_open_folder_with(context, folder, part, options);
    if (!dataset && linnet_context_last_status(context) == LINNET_NOT_FOUND)
        linnet_fail(context, LINNET_NOT_FOUND,
                    "%s; nor are there files of MNIST (train-images-idx3-ubyte) or CIFAR (data_batch_1.bin)",
                    linnet_context_message(context));
    return dataset;
}
