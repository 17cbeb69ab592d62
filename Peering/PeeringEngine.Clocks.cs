using System.Globalization;
using Couic.Store;

namespace Couic.Peering;

/// <summary>What is taken from nodes whose clocks disagree with ours by more than <see cref="HybridClock.MaxDrift"/>: nothing.</summary>
internal sealed partial class PeeringEngine
{
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _logGate = new();
    private long _nextRefusalLog = long.MinValue;
    private long _nextFaultLog = long.MinValue;
    private long _clockRefusals;

    /// <summary>Batches, hellos and records that were refused as their stamps were too far ahead.</summary>
    public long ClockRefusals => Volatile.Read(ref _clockRefusals);

    /// <summary>The sum of a moment and an offset; the end of time where there is no such moment.</summary>
    public static DateTimeOffset Shifted(DateTimeOffset moment, TimeSpan by) =>
        by < DateTimeOffset.MinValue - moment ? DateTimeOffset.MinValue
        : by > DateTimeOffset.MaxValue - moment ? DateTimeOffset.MaxValue
        : moment + by;

    /// <summary>A span of time in words that fit any length.</summary>
    public static string InWords(TimeSpan span) => span.TotalDays >= 2
        ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalDays:F1} days")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:F1} h");

    /// <summary>Why a batch cannot be taken; null where its stamps are acceptable.</summary>
    public string? ClockObjection(Policy policy, IncomingBatch batch)
    {
        if (IndexOf(policy) is not { } index)
        {
            return null; // stamps have no meaning here
        }

        for (int i = 0; i < batch.Jobs.Count; i++)
        {
            if (batch.Jobs[i].Stamp is { } stamp && !index.Accepts(stamp.Time))
            {
                return $"job {i}: \"stamp\" is {TooFar(index.LeadOf(stamp.Time))}";
            }
        }

        return null;
    }

    /// <summary>Why the answer to a hello cannot be taken; null where its clocks are acceptable.</summary>
    public string? ClockObjection(ReplicaIndex index, in SyncHead head)
    {
        TimeSpan offset = DateTimeOffset.FromUnixTimeMilliseconds(head.WallClock) - Time.GetUtcNow();
        return offset.Duration() > HybridClock.MaxDrift
            ? $"they are {InWords(offset.Duration())} apart, {(offset > TimeSpan.Zero ? "its own ahead" : "its own behind")} (at most 24 h)"
            : TimeObjection(index, head);
    }

    /// <summary>Why the logical time of a hello cannot be taken.</summary>
    private static string? TimeObjection(ReplicaIndex index, in SyncHead head) =>
        index.Accepts(head.Time) ? null : $"the logical time is {TooFar(index.LeadOf(head.Time))}";

    /// <summary>Counts what a client sent in vain; logs it at most once a minute.</summary>
    public void Refused(string client, string objection)
    {
        Interlocked.Increment(ref _clockRefusals);
        if (MayLog(ref _nextRefusalLog))
        {
            PeeringLog.ClockRefused(Log, client, objection);
        }
    }

    private static string TooFar(TimeSpan lead) => $"{InWords(lead)} ahead of this node's clock (at most 24 h)";

    private bool MayLog(ref long next)
    {
        lock (_logGate)
        {
            long now = Time.GetTimestamp();
            bool may = now >= next;
            next = may ? now + (long)(LogInterval.TotalSeconds * Time.TimestampFrequency) : next;
            return may;
        }
    }

    /// <summary>Renews the stamps of records from the future, a few thousand at a time.</summary>
    private void Restamp(ReplicaIndex index)
    {
        int renewed = 0;
        for (int slices = 0; slices < 16 && index.NeedsRestamp; slices++)
        {
            using (_store.Hold())
            {
                renewed += index.Restamp(budget: 1_024);
            }
        }

        if (renewed > 0)
        {
            PeeringLog.Restamped(Log, index.Policy.Name(), renewed);
            Touch();
        }
    }
}
