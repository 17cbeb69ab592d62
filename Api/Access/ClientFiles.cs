using Couic.Config;
using Couic.Native;

namespace Couic.Api.Access;

/// <summary>What a folder of client files holds.</summary>
/// <param name="Clients">The good ones; names and tokens are distinct.</param>
/// <param name="Faults">Why each of the others was left out.</param>
public sealed record ClientFolder(IReadOnlyList<Client> Clients, IReadOnlyList<Fault> Faults);

/// <summary>Reads the folder of client files at the start and for a check.</summary>
public static class ClientFiles
{
    /// <summary>
    /// The clients of a folder for a daemon that starts: <c>couicctl.toml</c> is made when it is missing, and leftovers of interrupted
    /// writes are removed. The faults of other files are returned in <paramref name="faults"/>, for the log.
    /// </summary>
    /// <exception cref="IOException">The folder cannot be read, or <c>couicctl.toml</c> is not good or cannot be made.</exception>
    public static ClientDirectory Open(string folder, FileOwner owner, out IReadOnlyList<Fault> faults)
    {
        GuardedFile.RemoveLeftovers(folder);
        string path = ClientFile.PathOf(folder, ClientDirectory.DefaultClient);
        if (Files.TryStat(path, out _) == Errno.ENOENT)
        {
            var client = new Client(ClientDirectory.DefaultClient, Group.Admin, Token.Random().ToGuid());
            GuardResult made = GuardedFile.Create(path, ClientFile.Format(client), owner);
            if (!made.IsOk)
            {
                throw new IOException($"make the client file of \"{ClientDirectory.DefaultClient}\": {made.Message}");
            }
        }

        ClientFolder content = Read(folder, owner);
        if (content.Clients.All(client => client.Name != ClientDirectory.DefaultClient))
        {
            Fault? fault = content.Faults.FirstOrDefault(fault => fault.File == path);
            throw new IOException($"read the client file of \"{ClientDirectory.DefaultClient}\": {fault?.ToString() ?? "no such file"} (without it the daemon has no administrator)");
        }

        faults = content.Faults;
        return new ClientDirectory(folder, owner, content.Clients);
    }

    /// <summary>
    /// Reads every <c>*.toml</c> of a folder and changes nothing. <c>couicctl</c> comes first, the others by name; of two with one token
    /// the later is left out. With <paramref name="owner"/> null owners and modes are not looked at.
    /// </summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public static ClientFolder Read(string folder, FileOwner? owner)
    {
        List<Fault> faults = [];
        Dictionary<Guid, Client> byToken = [];
        foreach (string name in Names(folder).Where(IsClientFile).OrderBy(IsNotDefault).ThenBy(name => name, StringComparer.Ordinal))
        {
            string path = Path.Combine(folder, name);
            if (ClientFile.Read(path, owner, faults) is { } client && !byToken.TryAdd(client.Token, client))
            {
                faults.Add(new Fault(path, $"its token is that of client \"{byToken[client.Token].Name}\" (give it another one)"));
            }
        }

        return new ClientFolder([.. byToken.Values], faults);
    }

    private static bool IsClientFile(string name) => name.EndsWith(ClientFile.Suffix, StringComparison.Ordinal);

    private static bool IsNotDefault(string name) => name != ClientDirectory.DefaultClient + ClientFile.Suffix;

    private static List<string> Names(string folder)
    {
        try
        {
            return [.. new DirectoryInfo(folder).EnumerateFileSystemInfos().Select(info => info.Name)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"read the client folder \"{folder}\": {IoErrors.Cause(e)}", e);
        }
    }
}
