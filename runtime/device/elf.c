/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at a plugin file before the dynamic linker sees it: dlopen maps what the program headers promise and dies with
 * SIGBUS when a truncated file does not hold it. Follows the System V ABI, "Object Files".
 */
#include "registry.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_DATA ELFDATA2LSB
#else
#define OWN_DATA ELFDATA2MSB
#endif
#define OWN_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

static bool read_at(int file, void *out, size_t size, uint64_t offset)
{
    return pread(file, out, size, (off_t)offset) == (ssize_t)size;
}

/* The machine this process runs on, from its own executable; EM_NONE when that cannot be read. */
static uint16_t own_machine(void)
{
    ElfW(Ehdr) header;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool known = file >= 0 && read_at(file, &header, sizeof header, 0);
    if (file >= 0)
        close(file);
    return known ? header.e_machine : EM_NONE;
}

static const char *check_segments(int file, const ElfW(Ehdr) * header, uint64_t file_size)
{
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        uint64_t end;
        if (!read_at(file, &segment, sizeof segment, header->e_phoff + (uint64_t)i * sizeof segment))
            return "truncated: its program headers are missing";
        if (segment.p_type == PT_LOAD &&
            (__builtin_add_overflow((uint64_t)segment.p_offset, (uint64_t)segment.p_filesz, &end) || end > file_size))
            return "truncated: a segment reaches past its end";
    }
    return NULL;
}

static const char *check_file(int file)
{
    ElfW(Ehdr) header;
    struct stat info;
    if (fstat(file, &info) || !S_ISREG(info.st_mode))
        return "not a regular file";
    if (!read_at(file, &header, sizeof header, 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return "not a shared object (no ELF header)";
    uint16_t machine = own_machine();
    if (header.e_ident[EI_CLASS] != OWN_CLASS || header.e_ident[EI_DATA] != OWN_DATA ||
        (machine != EM_NONE && header.e_machine != machine))
        return "built for another architecture";
    if (header.e_type != ET_DYN || header.e_phentsize != sizeof(ElfW(Phdr)))
        return "not a shared object";
    return check_segments(file, &header, (uint64_t)info.st_size);
}

const char *linnet_elf_refusal(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return "cannot be opened";
    const char *refusal = check_file(file);
    close(file);
    return refusal;
}
