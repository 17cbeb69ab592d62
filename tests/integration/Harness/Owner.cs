namespace Couic.IntegrationTests.Harness;

/// <summary>An account of this machine, looked up in /etc/passwd.</summary>
public sealed record Owner(string User, string Group, uint Uid, uint Gid)
{
    public static Owner Root { get; } = new("root", "root", 0, 0);

    /// <summary>The account that tests run the daemon as: every Debian has it, and it owns nothing.</summary>
    public static Owner Nobody { get; } = Find("nobody");

    public void Take(string path) => Libc.Check(Libc.chown(path, Uid, Gid), $"chown {path}");

    public static uint GidOf(string group) => uint.Parse(Line("/etc/group", f => f[0] == group)[2]);

    private static Owner Find(string user)
    {
        string[] account = Line("/etc/passwd", f => f[0] == user);
        return new Owner(user, Line("/etc/group", f => f[2] == account[3])[0], uint.Parse(account[2]), uint.Parse(account[3]));
    }

    private static string[] Line(string file, Func<string[], bool> wanted) =>
        File.ReadLines(file).Select(l => l.Split(':')).First(f => f.Length > 2 && wanted(f));
}
