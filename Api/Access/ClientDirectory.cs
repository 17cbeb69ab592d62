using System.Diagnostics.CodeAnalysis;
using Couic.Native;

namespace Couic.Api.Access;

/// <summary>
/// The clients in force: those in memory are those whose files are on the disk. Reading is lock-free and safe from any thread; changes
/// are serialized. <see cref="ClientFiles"/> reads the folder at the start, <see cref="Reload"/> does so again.
/// </summary>
public sealed class ClientDirectory
{
    /// <summary>The administrator's own client: made at the first start, never deleted through the API.</summary>
    public const string DefaultClient = "couicctl";

    private readonly Lock _changes = new();
    private readonly string _folder;
    private readonly FileOwner _owner;
    private Snapshot _snapshot;

    /// <param name="folder">Where the client files are; must exist.</param>
    /// <param name="owner">Who owns the files that are made.</param>
    /// <param name="clients">Names and tokens must be distinct.</param>
    public ClientDirectory(string folder, FileOwner owner, IEnumerable<Client> clients)
    {
        _folder = folder;
        _owner = owner;
        _snapshot = new Snapshot(clients);
    }

    /// <summary>How many clients there are.</summary>
    public int Count => Volatile.Read(ref _snapshot).Clients.Length;

    /// <summary>
    /// Looks for the client of a token (the text after <c>Bearer </c>, blanks at the end already gone) and whether its group has the
    /// permission. <paramref name="client"/> is set for <see cref="AuthOutcome.Ok"/> and <see cref="AuthOutcome.Forbidden"/>. Every
    /// client's token is compared, in a time that does not depend on the tokens. Allocates nothing.
    /// </summary>
    public AuthOutcome Authenticate(ReadOnlySpan<byte> tokenText, Permission permission, out Client? client)
    {
        client = null;
        if (!Token.TryParse(tokenText, out Token token))
        {
            return AuthOutcome.Malformed;
        }

        Snapshot snapshot = Volatile.Read(ref _snapshot);
        int found = Find(snapshot.Tokens, token);
        if (found < 0)
        {
            return AuthOutcome.Unknown;
        }

        client = snapshot.Clients[found];
        return client.Group.Allows(permission) ? AuthOutcome.Ok : AuthOutcome.Forbidden;
    }

    /// <summary>All clients, sorted by name (ordinal); a snapshot that does not change.</summary>
    public IReadOnlyList<Client> List() => Volatile.Read(ref _snapshot).Clients;

    /// <summary>The client of that exact name; case counts.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out Client? client) => Volatile.Read(ref _snapshot).TryGet(name, out client);

    /// <summary>
    /// Makes a client with a new random token: its file is on the disk before the token works. The name must obey <see cref="NameRule"/>
    /// (throws <see cref="ArgumentException"/>). <paramref name="message"/> has the cause when the outcome is not <see cref="ClientOutcome.Ok"/>.
    /// </summary>
    public ClientOutcome Create(string name, Group group, Rails? rails, out Client? client, out string message)
    {
        RequireGoodName(name);
        lock (_changes)
        {
            client = null;
            Snapshot snapshot = _snapshot;
            if (snapshot.TryGet(name, out _))
            {
                message = $"client \"{name}\" exists already";
                return ClientOutcome.Exists;
            }

            var made = new Client(name, group, Token.Random().ToGuid(), rails);
            GuardResult written = GuardedFile.Create(ClientFile.PathOf(_folder, name), ClientFile.Format(made), _owner);
            message = written.Message;
            if (!written.IsOk)
            {
                return written.Status == GuardStatus.Exists ? ClientOutcome.Exists : ClientOutcome.Failed;
            }

            client = made;
            Volatile.Write(ref _snapshot, new Snapshot([.. snapshot.Clients, made]));
            return ClientOutcome.Ok;
        }
    }

    /// <inheritdoc cref="Create(string, Group, Rails?, out Client?, out string)"/>
    public ClientOutcome Create(string name, Group group, out Client? client) => Create(name, group, null, out client, out _);

    /// <summary>
    /// Removes a client's file, then the client: its token stops working before this returns. A file that is absent is not an error.
    /// <paramref name="message"/> has the cause when the outcome is not <see cref="ClientOutcome.Ok"/>.
    /// </summary>
    public ClientOutcome Delete(string name, out string message)
    {
        lock (_changes)
        {
            message = string.Empty;
            Snapshot snapshot = _snapshot;
            if (name == DefaultClient)
            {
                message = $"client \"{DefaultClient}\" cannot be deleted (couicctl on this machine needs it)";
                return ClientOutcome.Protected;
            }

            if (!snapshot.TryGet(name, out Client? client))
            {
                message = $"no client \"{name}\"";
                return ClientOutcome.Absent;
            }

            string path = ClientFile.PathOf(_folder, name);
            GuardResult removed = GuardedFile.Delete(path);
            if (removed.Status == GuardStatus.Failed && Files.TryStat(path, out _) != Errno.ENOENT)
            {
                message = removed.Message;
                return ClientOutcome.Failed;
            }

            Volatile.Write(ref _snapshot, new Snapshot(snapshot.Clients.Where(other => other != client)));
            return ClientOutcome.Ok;
        }
    }

    /// <inheritdoc cref="Delete(string, out string)"/>
    public ClientOutcome Delete(string name) => Delete(name, out _);

    /// <summary>
    /// Reads the files again. Clients are then those of a start: one whose file is gone or not good is left out, its token stops
    /// working before this returns, and one whose file is new or changed is taken. Only <see cref="DefaultClient"/> stays as it is when
    /// its file is not good.
    /// </summary>
    /// <exception cref="IOException">The folder cannot be read; nothing has changed.</exception>
    public ClientReload Reload()
    {
        lock (_changes)
        {
            Snapshot before = _snapshot;
            ClientFolder content = ClientFiles.Read(_folder, _owner);
            IEnumerable<Client> clients = content.Clients;
            if (before.TryGet(DefaultClient, out Client? own) && clients.All(client => client.Name != DefaultClient))
            {
                clients = clients.Where(client => client.Token != own.Token).Append(own);
            }

            // One that is as it was keeps its allowance.
            var after = new Snapshot(clients.Select(client => before.TryGet(client.Name, out Client? known) && before.Holds(client) ? known : client));
            Volatile.Write(ref _snapshot, after);
            return new ClientReload(
                [.. after.Clients.Where(client => !before.Holds(client)).Select(client => client.Name)],
                [.. before.Clients.Where(client => !after.Holds(client)).Select(client => client.Name)],
                content.Faults);
        }
    }

    /// <summary>Compares with all of them, without a branch that depends on a secret; the last equal one wins, -1 when there is none.</summary>
    private static int Find(ReadOnlySpan<Token> tokens, Token wanted)
    {
        int found = -1;
        for (int i = 0; i < tokens.Length; i++)
        {
            ulong difference = (tokens[i].High ^ wanted.High) | (tokens[i].Low ^ wanted.Low);
            int equal = (int)((difference | (0 - difference)) >> 63) - 1; // all ones when equal, else 0
            found = (found & ~equal) | (i & equal);
        }

        return found;
    }

    private static void RequireGoodName(string name)
    {
        if (NameRule.Fault(System.Text.Encoding.UTF8.GetBytes(name)) is { } fault)
        {
            throw new ArgumentException($"client name \"{name}\": {fault}", nameof(name));
        }
    }

    /// <summary>Clients sorted by name, and their tokens at the same places.</summary>
    private sealed class Snapshot
    {
        private readonly Dictionary<string, Client> _byName = new(StringComparer.Ordinal);

        public Snapshot(IEnumerable<Client> clients)
        {
            Clients = [.. clients.OrderBy(client => client.Name, StringComparer.Ordinal)];
            Tokens = Array.ConvertAll(Clients, client => Token.FromGuid(client.Token));
            foreach (Client client in Clients)
            {
                _byName.Add(client.Name, client);
            }
        }

        public Client[] Clients { get; }

        public Token[] Tokens { get; }

        public bool Holds(Client client) =>
            TryGet(client.Name, out Client? own) && own.Token == client.Token && own.Group == client.Group && own.Rails?.Summary == client.Rails?.Summary;

        public bool TryGet(string name, [NotNullWhen(true)] out Client? client) => _byName.TryGetValue(name, out client);
    }
}
