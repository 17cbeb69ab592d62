using Microsoft.Win32.SafeHandles;

namespace Couic.Cli.Output;

/// <summary>Standard output as a stream that says when nobody reads any more.</summary>
internal static class StandardOutput
{
    /// <summary>
    /// The console's own stream swallows EPIPE, so that a command in front of <c>head</c> would go on for nothing (or, if it
    /// is a live view, forever). For a file it is the right one, as it writes where the descriptor stands.
    /// </summary>
    public static Stream Open()
    {
        if (Console.IsOutputRedirected)
        {
            try
            {
                var stream = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
                if (!stream.CanSeek)
                {
                    return stream;
                }
            }
            catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
            {
                // Closed, or of a kind that a file stream does not take; the console's stream does what can be done.
            }
        }

        return Console.OpenStandardOutput();
    }
}
