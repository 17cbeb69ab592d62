using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>The error of a system call by its native name (asm-generic/errno.h), or 0.</summary>
public enum Errno
{
    None = 0,
    EPERM = 1,
    ENOENT = 2,
    EINTR = 4,
    EIO = 5,
    E2BIG = 7,
    EBADF = 9,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENOSPC = 28,
    EROFS = 30,
    ERANGE = 34,
    ENAMETOOLONG = 36,
    ENOSYS = 38,
    ELOOP = 40,
    EOPNOTSUPP = 95,
    ENETDOWN = 100,
}

/// <summary>Texts of <see cref="Errno"/>.</summary>
public static class Errnos
{
    /// <summary>The C library's text, starting in lower case: <c>permission denied</c>.</summary>
    public static string Text(this Errno error)
    {
        string text = Marshal.GetPInvokeErrorMessage((int)error);
        return text.Length > 1 && char.IsAsciiLetterLower(text[1]) ? char.ToLowerInvariant(text[0]) + text[1..] : text;
    }
}

/// <summary>Texts for the exceptions of the framework's file calls, whose own messages are trimmed away in the shipped executable.</summary>
public static class IoErrors
{
    /// <summary>The system's cause in lower case: <c>no such file or directory</c>.</summary>
    public static string Cause(Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => Errno.ENOENT.Text(),
        PathTooLongException => Errno.ENAMETOOLONG.Text(),
        IOException { HResult: > 0 and < 4096 } io => ((Errno)io.HResult).Text(), // the framework puts the raw errno there
        { InnerException: IOException inner } => Cause(inner),
        UnauthorizedAccessException => Errno.EACCES.Text(),
        _ => "input or output error",
    };
}
