namespace Couic.Native;

/// <summary>Words for the exceptions of the framework's file calls, whose own texts are trimmed away in the shipped executable.</summary>
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
