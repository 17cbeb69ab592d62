using System.Text;
using Couic.Native;

namespace Couic.Config;

/// <summary>Where the configuration comes from.</summary>
/// <param name="Path">The file as given; <see cref="EmbeddedName"/> for the embedded default.</param>
/// <param name="Text">Its content.</param>
/// <param name="IsEmbedded">Whether it is the built-in default, whose folders are created when they are missing.</param>
public sealed record SettingsSource(string Path, string Text, bool IsEmbedded)
{
    public const string DefaultPath = "/etc/couic/couic.toml";

    /// <summary>The name of the embedded default in messages.</summary>
    public const string EmbeddedName = "(embedded default)";

    /// <summary>Bytes; a configuration with 64 peers has 15 KB. A syntax tree takes up to 500 bytes per byte of the file.</summary>
    public const int MaxBytes = 256 * 1024;

    /// <summary>The given file, else <see cref="DefaultPath"/>, else the embedded default.</summary>
    /// <exception cref="IOException">The file cannot be read, or is not UTF-8.</exception>
    public static SettingsSource Locate(string? path)
    {
        if (path is null && Files.TryStatTarget(DefaultPath, out _) == Errno.ENOENT)
        {
            return Embedded();
        }

        path ??= DefaultPath;
        return new SettingsSource(path, ReadText(path), IsEmbedded: false);
    }

    /// <summary>Loopback only, everything under <see cref="DefaultFolder"/>, the present user, log to stdout.</summary>
    public static SettingsSource Embedded()
    {
        FileOwner owner = FileOwner.Current;
        string text = $"""
            ifaces = ["lo"]
            operation_mode = "generic"
            working_dir = {Quote(DefaultFolder.Path)}
            user = {Quote(Accounts.UserName(owner.Uid))}
            group = {Quote(Accounts.GroupName(owner.Gid))}

            [server]
            socket = {Quote(DefaultFolder.Socket)}

            [logging]
            dir = "-"

            """;
        return new SettingsSource(EmbeddedName, text, IsEmbedded: true);
    }

    /// <summary>A TOML string that means the text.</summary>
    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            _ = c is '"' or '\\' ? quoted.Append('\\').Append(c)
                : char.IsControl(c) ? quoted.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)c:x4}")
                : quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }

    private static string ReadText(string path)
    {
        // Most files are a few KB; a managed buffer for the largest would stay in memory until the next full collection.
        using var scratch = new ScratchMemory(MaxBytes + 1);
        int length;
        try
        {
            using FileStream file = File.OpenRead(path);
            length = file.ReadAtLeast(scratch.Bytes, MaxBytes + 1, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Directory.Exists(path)
                ? new IOException($"read configuration \"{path}\": it is a folder (name the file: \"{System.IO.Path.Combine(path, "couic.toml")}\")", e)
                : new IOException($"read configuration \"{path}\": {IoErrors.Cause(e)}", e);
        }

        if (length > MaxBytes)
        {
            throw new IOException($"read configuration \"{path}\": more than {MaxBytes} bytes");
        }

        ReadOnlySpan<byte> content = scratch.Bytes[..length];
        return TomlDocument.FirstBadByte(path, content) is { } bad
            ? throw new IOException($"read configuration: {bad}")
            : Encoding.UTF8.GetString(content);
    }
}

/// <summary>
/// The folder that daemon and couicctl use when neither has a configuration: in the user's session folder, else in the folder in which both
/// were started.
/// </summary>
public static class DefaultFolder
{
    /// <summary>Absolute: <c>$XDG_RUNTIME_DIR/couic</c>, else <c>./run</c>.</summary>
    public static string Path
    {
        get
        {
            // The XDG base directory specification: a path that is not absolute is to be ignored.
            string? session = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
            return session is { Length: > 0 } && System.IO.Path.IsPathRooted(session) && Directory.Exists(session)
                ? System.IO.Path.Combine(session, "couic")
                : System.IO.Path.GetFullPath("run");
        }
    }

    public static string Socket => System.IO.Path.Combine(Path, "couic.sock");

    /// <summary>The administrator's token.</summary>
    public static string ClientFile => System.IO.Path.Combine(WorkingFolder.Clients(Path), "couicctl.toml");
}
