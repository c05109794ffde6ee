# SPDX-License-Identifier: Apache-2.0
set(LINNET_CORE_SOURCES core/cache.c core/clock.c core/context.c core/environment.c core/file.c core/memory.c core/processors.c core/status.c core/tensor.c core/text.c)
