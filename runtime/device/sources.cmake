# SPDX-License-Identifier: Apache-2.0
set(LINNET_DEVICE_SOURCES device/device.c device/elf.c device/helper.c device/host.c device/pinned.c device/prober.c device/loader.c device/registry.c device/select.c
  device/tuner.c device/tuner_file.c)
