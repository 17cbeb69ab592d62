using Couic.Api.Json;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>The rules for the values of an entry.</summary>
internal static class EntryRules
{
    /// <summary>The fault of the CIDR; null for none.</summary>
    public static string? CidrFault(in EntryRequest request, Policy policy, bool force)
    {
        if (request.CidrFault != Store.CidrFault.None)
        {
            return request.CidrFault.Explain();
        }

        return request.Cidr.Length == 0 && policy == Policy.Drop && !force
            ? "prefix length 0 drops everything, this machine's own connections included (?force=true if that is meant)"
            : null;
    }

    /// <summary>The objection of the guard to a valid addition; null for none.</summary>
    public static LockoutObjection? Objection(ApiServices services, Policy policy, in EntryRequest request) =>
        policy == Policy.Drop && request.CidrFault == Store.CidrFault.None ? services.Store.Guard.ObjectionToDrop(request.Cidr.Network) : null;

    /// <summary>The objection to an addition that covers the address from which a request comes, if the requester asks for such; null for none.</summary>
    public static LockoutObjection? ObjectionOfRequester(ApiServices services, Exchange exchange, Policy policy, in EntryRequest request)
    {
        if (policy != Policy.Drop || request.CidrFault != Store.CidrFault.None || exchange.RemoteAddress is not { } address
            || Stance(exchange.Query) != LockoutStance.Refuse)
        {
            return null;
        }

        string text = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
        return Cidr.TryParseAddress(System.Text.Encoding.ASCII.GetBytes(text), out Cidr host)
            ? services.Store.Guard.ObjectionOfRequester(new ProtectedAddress(host, "where this request comes from"), request.Cidr.Network)
            : null;
    }

    /// <summary>What the requester asks of the guard.</summary>
    public static LockoutStance Stance(Query query) =>
        query.IsEmpty ? LockoutStance.Default
        : query.Has("force"u8, "true") ? LockoutStance.Force
        : query.Has("guard"u8, "refuse") ? LockoutStance.Refuse
        : LockoutStance.Default;

    /// <summary>What becomes of an entry that is there already.</summary>
    public static ConflictMode Mode(Query query)
    {
        _ = query.Find("on_conflict"u8, out string mode);
        return mode switch
        {
            "update" or "merge" => ConflictMode.Update,
            "extend" => ConflictMode.Extend,
            "claim" => ConflictMode.Claim,
            _ => ConflictMode.Refuse,
        };
    }

    /// <summary>Whether an update keeps what its item does not have.</summary>
    public static bool Merges(Query query) => query.Has("on_conflict"u8, "merge");

    /// <summary>The addresses that the requester of a reload names as its own; anything else is ignored.</summary>
    public static IReadOnlyList<ProtectedAddress> Requester(Query query) =>
        query.Find("operator"u8, out string text) > 0 && Cidr.TryParseAddress(System.Text.Encoding.UTF8.GetBytes(text), out Cidr host)
            ? [new ProtectedAddress(host, "where this request comes from")]
            : [];

    /// <summary>The warnings of an addition; null, as a rule, for none.</summary>
    /// <param name="explains">Whether to name a wider entry that makes the addition superfluous; programs that add in bulk do not ask.</param>
    public static ChangeWarnings? WarningsOf(ApiServices services, Policy policy, Cidr cidr, LockoutObjection? objection, bool explains)
    {
        string? effect = policy == Policy.Drop ? services.Store.Guard.NoteOfDrop(cidr.Network) : LockoutGuard.WarningOfIgnore(cidr.Network);
        string? wider = explains && FindWider(services.Store, policy, cidr) is { } covering
            ? $"{covering} is in {policy.Name()} and covers {cidr.Network} already" : null;
        if (objection is null && effect is null && wider is null && !cidr.IsV4Mapped && !cidr.HasStrayHostBits)
        {
            return null;
        }

        string?[] texts =
        [
            objection is null ? null : $"{cidr.Network} {objection.Reason}",
            effect,
            wider,
            cidr.IsV4Mapped ? $"{cidr.Network} is an IPv6 entry and matches no IPv4 packet; add the IPv4 network for those" : null,
            cidr.HasStrayHostBits ? $"host bits are set below a short prefix: {cidr} means {cidr.Network}" : null,
        ];
        return new ChangeWarnings(objection?.Reason, [.. texts.OfType<string>()]);
    }

    /// <summary>The longest entry that covers a network without being that network's own; null for none.</summary>
    public static Cidr? FindWider(RuleStore store, Policy policy, Cidr cidr) =>
        cidr.Length > 0 && store.TryFindCovering(policy, cidr.Network.WithLength(cidr.Length - 1), out Cidr covering) ? covering : null;

    /// <param name="now">Seconds since 1970.</param>
    public static string? ExpirationFault(ulong expiration, ulong now) =>
        expiration != 0 && expiration <= now ? "not in the future; 0 (never) or seconds since 1970 are expected" : null;

    /// <summary>The first fault with its field; null for none.</summary>
    public static string? Fault(in EntryRequest request, Policy policy, ulong now, bool force)
    {
        if (CidrFault(request, policy, force) is { } cidr)
        {
            return $"cidr: {cidr}";
        }

        if (TagRule.Fault(request.Tag) is { } tag)
        {
            return $"tag: {tag}";
        }

        if (!request.Reason.IsEmpty && ReasonRule.Fault(request.Reason) is { } reason)
        {
            return $"reason: {reason}";
        }

        return ExpirationFault(request.Expiration, now) is { } expiration ? $"expiration: {expiration}" : null;
    }

    public static string TooManyClaims(Cidr cidr) =>
        $"{cidr} takes no further claim: an entry has at most {Claims.MaxPerEntry}, and a table {Claims.MaxTotal} besides those that entries show";

    public static string FullMessage(Policy policy, IpFamily family, StoreLimits limits) =>
        $"the {policy.Name()} table for {(family == IpFamily.V4 ? "IPv4" : "IPv6")} is full: its limit is {limits.Entries(policy)} entries";
}
