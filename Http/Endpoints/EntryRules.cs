using Couic.Http.Json;
using Couic.Store;

namespace Couic.Http.Endpoints;

/// <summary>The rules for the values of an entry.</summary>
internal static class EntryRules
{
    /// <summary>What is wrong with the CIDR; null when it is good.</summary>
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

    /// <summary>Whom a good drop entry would cut off; null for nobody.</summary>
    public static LockOut? LockOut(ApiServices services, Policy policy, in EntryRequest request) =>
        policy == Policy.Drop && request.CidrFault == Store.CidrFault.None ? services.Guard?.Invoke(request.Cidr.Network) : null;

    /// <summary>What to do about it, for who asks.</summary>
    public static string Advice(LockOut lockOut) => $"{lockOut.Objection}; add that to ignore first, or say ?force=true";

    /// <param name="now">Seconds since 1970.</param>
    public static string? ExpirationFault(ulong expiration, ulong now) =>
        expiration != 0 && expiration <= now ? "not in the future; 0 (never) or seconds since 1970 are expected" : null;

    /// <summary>The first fault with its field; null when all is good.</summary>
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

        return ExpirationFault(request.Expiration, now) is { } expiration ? $"expiration: {expiration}" : null;
    }

    public static string FullMessage(Policy policy, IpFamily family, StoreLimits limits) =>
        $"the {policy.Name()} table for {(family == IpFamily.V4 ? "IPv4" : "IPv6")} is full: its limit is {limits.Entries(policy)} entries";
}
