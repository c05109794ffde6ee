/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody else's program: opens the default device and prints its name. */
#include <linnet/linnet.h>
#include <stdio.h>

int main(void)
{
    linnet_device *device = linnet_device_open(NULL, NULL);
    puts(device ? linnet_device_label(device) : linnet_context_message(NULL));
    linnet_device_close(&device);
    return linnet_context_last_status(NULL) == LINNET_OK ? 0 : 1;
}
