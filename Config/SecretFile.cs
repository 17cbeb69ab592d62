using Couic.Native;

namespace Couic.Config;

/// <summary>Who may read a configuration that holds tokens.</summary>
public static class SecretFile
{
    private const int OthersRead = 0b000_000_100;
    private const int GroupReads = 0b000_100_000;

    /// <summary>One line that says who else may read the tokens in a configuration; null when it holds none, or nobody else may.</summary>
    public static string? Warning(string path, Settings settings) =>
        settings.Peering.Peers.Count > 0 || settings.Reporting.Webhook is not null ? Warning(path, settings.User) : null;

    /// <summary>The same of a file that is known to hold a secret.</summary>
    /// <param name="reader">The user who has to be able to read it, besides root.</param>
    public static string? Warning(string path, string reader)
    {
        if (Files.TryStatTarget(path, out FileState state) != Errno.None || state.Kind != FileKind.Regular)
        {
            return null; // a pipe, or gone meanwhile
        }

        if ((state.Mode & OthersRead) != 0)
        {
            return $"\"{path}\" holds tokens and everybody may read it (chmod o= \"{path}\")";
        }

        string[] members = (state.Mode & GroupReads) == 0 ? [] : [.. Accounts.Members(state.Owner.Gid).Where(name => name != reader && name != "root")];
        return members.Length == 0
            ? null
            : $"\"{path}\" holds tokens, and {string.Join(", ", members)} may read it as of group {Accounts.GroupName(state.Owner.Gid)} (take them out of the group)";
    }
}
