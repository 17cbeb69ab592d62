namespace Couic.Api.Access;

/// <summary>What a request needs.</summary>
#pragma warning disable CA1711 // a permission of ours, not one of code access security
public enum Permission : byte
{
    /// <summary>List and get entries.</summary>
    EntriesRead,

    /// <summary>Create and delete entries.</summary>
    EntriesWrite,

    /// <summary>Send peer jobs.</summary>
    PeerWrite,

    /// <summary>List and get sets.</summary>
    SetsRead,

    /// <summary>Create, update, delete and reload sets.</summary>
    SetsWrite,

    /// <summary>Statistics and metrics, and the state of peers.</summary>
    Stats,

    /// <summary>Everything about clients.</summary>
    Clients,

    /// <summary>The stream of events; each type also needs the permission to read what it is about.</summary>
    Events,

    /// <summary>Any client, whatever its group.</summary>
    Any,
}

/// <summary>Who may do what: the table of the API's section on permissions.</summary>
public static class Permissions
{
    private const int EntriesRead = 1 << (int)Permission.EntriesRead;
    private const int EntriesWrite = 1 << (int)Permission.EntriesWrite;
    private const int PeerWrite = 1 << (int)Permission.PeerWrite;
    private const int SetsRead = 1 << (int)Permission.SetsRead;
    private const int SetsWrite = 1 << (int)Permission.SetsWrite;
    private const int Stats = 1 << (int)Permission.Stats;
    private const int Clients = 1 << (int)Permission.Clients;
    private const int Events = 1 << (int)Permission.Events;

    private static readonly (Permission Permission, string Word)[] Named =
    [
        (Permission.EntriesRead, "entries_read"), (Permission.EntriesWrite, "entries_write"), (Permission.SetsRead, "sets_read"),
        (Permission.SetsWrite, "sets_write"), (Permission.Stats, "stats"), (Permission.Clients, "clients"), (Permission.Events, "events"),
        (Permission.PeerWrite, "peer_write"),
    ];

    public static bool Allows(this Group group, Permission permission) =>
        permission == Permission.Any || (Of(group) & (1 << (int)permission)) != 0;

    /// <summary>What a group may do, in the words of the API.</summary>
    public static IEnumerable<string> Words(Group group) => Named.Where(one => group.Allows(one.Permission)).Select(one => one.Word);

    private static int Of(Group group) => group switch
    {
        Group.Admin => EntriesRead | EntriesWrite | PeerWrite | SetsRead | SetsWrite | Stats | Clients | Events,
        Group.ClientRw => EntriesRead | EntriesWrite | SetsRead | SetsWrite | Events,
        Group.ClientRo => EntriesRead | SetsRead | Events,
        Group.Monitoring => Stats | Events,
        Group.Peering => PeerWrite,
        _ => 0,
    };
}
