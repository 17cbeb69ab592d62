using System.Globalization;
using Couic.Native;

namespace Couic.Config;

/// <summary>
/// Users and groups by name, from /etc/passwd and /etc/group: a static program cannot load the modules of other name services. Where an
/// account comes from such a service its number does.
/// </summary>
public static class Accounts
{
    private const string PasswdFile = "/etc/passwd";
    private const string GroupFile = "/etc/group";

    /// <exception cref="IOException">One of them does not exist.</exception>
    public static FileOwner Resolve(string user, string group) => new(
        FindUser(user) ?? throw new IOException($"look up user \"{user}\": not in {PasswdFile} (useradd --system {user}, or give its number)"),
        FindGroup(group) ?? throw new IOException($"look up group \"{group}\": not in {GroupFile} (groupadd --system {group}, or give its number)"));

    public static uint? FindUser(string nameOrNumber) => Find(PasswdFile, nameOrNumber);

    public static uint? FindGroup(string nameOrNumber) => Find(GroupFile, nameOrNumber);

    /// <summary>The name of a user, or the number where none is known, as in an empty chroot.</summary>
    public static string UserName(uint uid) => NameOf(PasswdFile, uid);

    public static string GroupName(uint gid) => NameOf(GroupFile, gid);

    /// <summary>Users of a group: its members, and those whose primary group it is.</summary>
    public static IEnumerable<string> Members(uint group) =>
        Lines(GroupFile).Where(fields => fields.Length > 3 && Number(fields[2]) == group)
            .SelectMany(fields => fields[3].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .Concat(Lines(PasswdFile).Where(fields => fields.Length > 3 && Number(fields[3]) == group).Select(fields => fields[0]))
            .Distinct();

    /// <summary>Both files hold <c>NAME:PASSWORD:NUMBER:…</c>; names win over numbers, as in chown.</summary>
    private static uint? Find(string file, string nameOrNumber)
    {
        foreach (string[] fields in Lines(file))
        {
            if (fields[0] == nameOrNumber)
            {
                return Number(fields[2]);
            }
        }

        return Number(nameOrNumber);
    }

    private static string NameOf(string file, uint number) =>
        Lines(file).FirstOrDefault(fields => Number(fields[2]) == number)?[0] ?? number.ToString(CultureInfo.InvariantCulture);

    private static uint? Number(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number != uint.MaxValue // "no change" to chown
            ? number
            : null;

    private static List<string[]> Lines(string file)
    {
        try
        {
            return [.. File.ReadLines(file).Select(line => line.Split(':')).Where(fields => fields.Length > 2 && fields[0].Length > 0)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}

/// <summary>Checks which users may read a configuration that holds tokens.</summary>
public static class SecretFile
{
    private const int OthersRead = 0b000_000_100;
    private const int GroupReads = 0b000_100_000;

    /// <summary>A warning when other users may read the tokens in a configuration; null when it has none, or no other user may.</summary>
    public static string? Warning(string path, Settings settings) =>
        settings.Peering.Peers.Count > 0 || settings.Reporting.Webhook is not null || settings.Bus is not { Token: null, Password: null } ? Warning(path, settings.User) : null;

    /// <summary>The same for a file that holds a secret.</summary>
    /// <param name="reader">The user that needs to read it, besides root.</param>
    public static string? Warning(string path, string reader)
    {
        if (Files.TryStatTarget(path, out FileState state) != Errno.None || state.Kind != FileKind.Regular)
        {
            return null; // a pipe, or deleted since
        }

        if ((state.Mode & OthersRead) != 0)
        {
            return $"\"{path}\" holds tokens and every user may read it (chmod o= \"{path}\")";
        }

        string[] members = (state.Mode & GroupReads) == 0 ? [] : [.. Accounts.Members(state.Owner.Gid).Where(name => name != reader && name != "root")];
        return members.Length == 0
            ? null
            : $"\"{path}\" holds tokens, and {string.Join(", ", members)} may read it as of group {Accounts.GroupName(state.Owner.Gid)} (take them out of the group)";
    }
}
