namespace Couic.Config;

/// <summary>
/// Where daemon and couicctl meet when neither has a configuration: a folder of the user's own session, else of the folder that both
/// were started in.
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
