using System.Globalization;
using System.Text;
using Couic.Api.Access;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>Applies the rails of a request's client, where it has any.</summary>
internal static class RailRules
{
    /// <summary>Whether the client may make changes now, to the policy if one is given. Otherwise the request is answered: 422 names the rail, 429 the time to wait.</summary>
    /// <param name="changes">What the request costs of the client's rate; 0 for one whose changes are counted as they are read.</param>
    public static bool Admit(Exchange exchange, TimeProvider time, Policy? policy, int changes = 1)
    {
        if (exchange.Client().Rails is not { } rails)
        {
            return true;
        }

        if (policy is { } given && !rails.Allows(given))
        {
            exchange.AddFault("policy", $"rail \"policies\": this client may not change {given.Name()}");
            exchange.FailIfFaults(422, ErrorCode.Invalid);
            return false;
        }

        if (rails.TryTake(changes, time, out TimeSpan wait))
        {
            return true;
        }

        exchange.Fail(429, ErrorCode.RateLimited, RateMessage(rails));
        exchange.AddHeader("retry-after"u8, Encoding.ASCII.GetBytes(((long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture)));
        return false;
    }

    /// <summary>Whether the client may remove what a tag claims; otherwise the request is answered.</summary>
    public static bool AdmitTag(Exchange exchange, ReadOnlySpan<byte> tag)
    {
        if (exchange.Client().Rails is { } rails && !rails.MayChange(tag))
        {
            exchange.AddFault("tag", rails.TagMessage(tag));
        }

        return !exchange.FailIfFaults(422, ErrorCode.Invalid);
    }

    public static string RateMessage(Rails rails) => string.Create(
        CultureInfo.InvariantCulture, $"rail \"rate\": at most {rails.Record.Rate} changes a second, {rails.Record.Burst ?? rails.Record.Rate} after a pause");

    /// <summary>What a change that the store refused for its writer's limits is answered.</summary>
    public static (string Field, string Message) Refusal(in ChangeRequest change)
    {
        var rails = (Rails)change.Limits!;
        return change.Outcome == StoreOutcome.OverQuota
            ? ("cidr", $"rail \"max_entries\": this client has {rails.MaxEntries} entries, as many as it may have")
            : ("tag", change.IsUnderTag ? rails.TagMessage(change.Tag) : $"{change.Cidr} is held under another tag: {rails.TagMessage(change.Entry.Tag.Span)}");
    }
}
