using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Native;

public class FilesTests
{
    [Fact]
    public void Statx_HasTheOffsetsOfTheHeader()
    {
        (string Field, string C)[] fields =
        [
            (nameof(Files.Statx.Uid), "stx_uid"),
            (nameof(Files.Statx.Gid), "stx_gid"),
            (nameof(Files.Statx.Mode), "stx_mode"),
            (nameof(Files.Statx.Inode), "stx_ino"),
            (nameof(Files.Statx.Size), "stx_size"),
            (nameof(Files.Statx.ChangedSeconds), "stx_ctime.tv_sec"),
            (nameof(Files.Statx.ChangedNanoseconds), "stx_ctime.tv_nsec"),
            (nameof(Files.Statx.ModifiedSeconds), "stx_mtime.tv_sec"),
            (nameof(Files.Statx.ModifiedNanoseconds), "stx_mtime.tv_nsec"),
        ];
        Assert.Equal(typeof(Files.Statx).GetFields().Length, fields.Length);
        long[] expected = CompiledC.Evaluate(
            ["<stddef.h>", "<linux/stat.h>"],
            ["sizeof(struct statx)", .. fields.Select(field => $"offsetof(struct statx, {field.C})")]);
        Assert.Equal<IEnumerable<long>>(expected, [Marshal.SizeOf<Files.Statx>(), .. fields.Select(field => (long)Marshal.OffsetOf<Files.Statx>(field.Field))]);
    }

    [Fact]
    public void Flags_EqualThoseOfTheHeaders()
    {
        Assert.Equal(
            CompiledC.Evaluate(
                ["<fcntl.h>", "<sys/stat.h>"],
                ["O_DIRECTORY", "O_NOFOLLOW", "O_APPEND", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_CREAT", "O_EXCL", "AT_FDCWD", "AT_SYMLINK_NOFOLLOW"]),
            Files.Flags.Select(flag => (long)flag).ToArray());
    }
}
