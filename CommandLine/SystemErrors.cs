using System.ComponentModel;
using System.Net.Sockets;

namespace Couic.CommandLine;

/// <summary>Texts of system errors; the framework's own texts are trimmed from the shipped executable.</summary>
internal static class SystemErrors
{
    /// <summary>In lower case, such as <c>no space left on device</c>.</summary>
    public static string Text(Exception e) => e switch
    {
        SocketException socket => Text(socket.NativeErrorCode),
        FileNotFoundException or DirectoryNotFoundException => "no such file or directory",
        UnauthorizedAccessException => "permission denied",
        PathTooLongException => "file name too long",
        IOException { HResult: > 0 and < 4096 } io => Text(io.HResult),
        IOException { InnerException: { } inner } => Text(inner),
        IOException => "input or output error",
        OperationCanceledException => "timed out",
        _ => e.GetType().Name,
    };

    /// <summary>The text of strerror(3), in lower case.</summary>
    public static string Text(int errno)
    {
        string text = new Win32Exception(errno).Message;
        return text.Length == 0 ? $"error {errno}" : char.ToLowerInvariant(text[0]) + text[1..];
    }
}
