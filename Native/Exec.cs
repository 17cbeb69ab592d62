using System.Runtime.InteropServices;
using System.Text;

namespace Couic.Native;

/// <summary>Starts programs that inherit descriptors: execve(2) and posix_spawn(3).</summary>
internal static partial class Exec
{
    private const nuint AT_EXECFN = 31;

    /// <summary>The path of the running executable, also where /proc is not mounted, as in an empty chroot.</summary>
    public static unsafe string OwnPath()
    {
        string? path = Environment.ProcessPath;
        if (path is not null && File.Exists(path))
        {
            return path;
        }

        // /proc/self/exe still leads to a binary that was replaced while it runs, or whose folder this user may not enter.
        const string Self = "/proc/self/exe";
        return File.Exists(Self) ? Self : Marshal.PtrToStringUTF8((nint)getauxval(AT_EXECFN)) ?? "couic";
    }

    /// <summary>Replaces this process. Returns only after a failure, with the error number.</summary>
    public static unsafe int Replace(string path, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment)
    {
        byte** argv = ToVector(arguments);
        byte** envp = ToVector(environment);
        byte* file = ToBytes(path);
        _ = execve(file, argv, envp);
        return Marshal.GetLastPInvokeError();
    }

    /// <summary>Starts a process that inherits every descriptor without the close-on-exec flag. Returns its id.</summary>
    /// <exception cref="IOException">The call failed.</exception>
    public static unsafe int Spawn(string path, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment)
    {
        int pid;
        int error = posix_spawn(&pid, ToBytes(path), null, null, ToVector(arguments), ToVector(environment));
        return error == 0
            ? pid
            : throw new IOException($"start \"{path}\": {Marshal.GetPInvokeErrorMessage(error)}");
    }

    /// <summary>The environment as execve takes it, without the names given and with the additions.</summary>
    public static string[] Environ(ReadOnlySpan<string> additions, params string[] without)
    {
        var all = new List<string>();
        foreach (System.Collections.DictionaryEntry pair in Environment.GetEnvironmentVariables())
        {
            if (!without.Contains((string)pair.Key))
            {
                all.Add($"{pair.Key}={pair.Value}");
            }
        }

        all.AddRange(additions);
        return [.. all];
    }

    // Never freed: the process is replaced, or it is a few bytes once per start.
    private static unsafe byte** ToVector(ReadOnlySpan<string> strings)
    {
        var vector = (byte**)NativeMemory.Alloc((nuint)(strings.Length + 1), (nuint)sizeof(byte*));
        for (int i = 0; i < strings.Length; i++)
        {
            vector[i] = ToBytes(strings[i]);
        }

        vector[strings.Length] = null;
        return vector;
    }

    private static unsafe byte* ToBytes(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        var bytes = (byte*)NativeMemory.Alloc((nuint)length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(bytes, length));
        bytes[length] = 0;
        return bytes;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int execve(byte* path, byte** argv, byte** envp);

    [LibraryImport("libc")]
    private static unsafe partial int posix_spawn(int* pid, byte* path, void* actions, void* attributes, byte** argv, byte** envp);

    [LibraryImport("libc")]
    private static partial nuint getauxval(nuint type);
}

/// <summary>Sends and ignores signals; the framework can only send SIGKILL.</summary>
internal static class Signals
{
    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGTERM = 15;

    private const nint SIG_IGN = 1;

    /// <summary>False when the process does not exist, or this user may not send it signals.</summary>
    public static bool Send(int process, int signal) => Libc.kill(process, signal) == 0;

    public static void Ignore(int signal) => _ = Libc.signal(signal, SIG_IGN);
}
