using System.Text;
using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeeringEngine
{
    /// <summary>Changes that are applied under one hold of the store, so that requests wait for microseconds.</summary>
    private const int Slice = 32;

    /// <summary>After so long the store is let go even within a slice.</summary>
    private static readonly TimeSpan MaxHold = TimeSpan.FromMilliseconds(5);

    /// <summary>The most that a request is believed to have been on its way; beyond it, a clock was set meanwhile.</summary>
    public static readonly TimeSpan MaxTransit = TimeSpan.FromSeconds(30);

    /// <summary>Applies a peer's batch, each job on its own.</summary>
    /// <param name="creator">Name of the client that sent it.</param>
    public ApplyCounts ApplyJobs(Policy policy, IncomingBatch batch, ReadOnlySpan<byte> creator)
    {
        var counts = new ApplyCounts();
        ApplyJobs(policy, batch, 0, Timeout.InfiniteTimeSpan, creator, counts);
        return counts;
    }

    /// <summary>Applies jobs of a batch from one on, until the time is over; at least some.</summary>
    /// <returns>How many jobs of the batch are done.</returns>
    public int ApplyJobs(Policy policy, IncomingBatch batch, int from, TimeSpan limit, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        TimeSpan transit = batch.SentAt is { } sentAt ? Transit(Time.GetUtcNow() - sentAt) : TimeSpan.Zero;
        return ApplySlices(policy, batch.Jobs.Count, i => ChangeOf(batch.Jobs[i], transit), from, limit, creator, counts);
    }

    private static RemoteChange ChangeOf(IncomingJob job, TimeSpan transit) => new(
        job.Cidr, job.Version, job.IsAdd ? RegisterState.Live : RegisterState.Removed, job.Tag, job.IsAdd ? job.Expiration : 0, job.TimeToLive - transit);

    /// <summary>How long something was on its way, if the clocks make sense.</summary>
    public static TimeSpan Transit(TimeSpan measured) => measured > TimeSpan.Zero && measured <= MaxTransit ? measured : TimeSpan.Zero;

    public ApplyCounts Apply(Policy policy, IReadOnlyList<RemoteChange> changes, ReadOnlySpan<byte> creator)
    {
        var counts = new ApplyCounts();
        ApplySlices(policy, changes.Count, i => changes[i], 0, Timeout.InfiniteTimeSpan, creator, counts);
        return counts;
    }

    /// <summary>
    /// Applies changes in slices, each under one hold of the store. A slice ends early when its changes take long, so that
    /// no other client waits for a batch, only for one change.
    /// </summary>
    private int ApplySlices(
        Policy policy, int count, Func<int, RemoteChange> changeAt, int from, TimeSpan limit, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        RegisterTable? index = IndexOf(policy);
        long start = Time.GetTimestamp(), paused = start;
        int done = from, applied = counts.Applied;
        while (done < count && (done == from || limit == Timeout.InfiniteTimeSpan || Time.GetElapsedTime(start) < limit))
        {
            using (_store.Hold())
            {
                long held = Time.GetTimestamp();
                int end = Math.Min(count, done + Slice);
                do
                {
                    ApplyOne(policy, index, changeAt(done++), creator, counts);
                }
                while (done < end && Time.GetElapsedTime(held) < MaxHold);
            }

            // The lock is not fair: without a pause its next holder would mostly be this thread again.
            if (limit == Timeout.InfiniteTimeSpan && Time.GetElapsedTime(paused) > MaxHold)
            {
                Thread.Sleep(1);
                paused = Time.GetTimestamp();
            }
        }

        if (counts.Applied > applied)
        {
            Touch();
        }

        return done;
    }

    /// <summary>The one place where a change of another node enters this one's store. Called by the holder of the store.</summary>
    private void ApplyOne(Policy policy, RegisterTable? index, RemoteChange change, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        if (index is null || change.Version is null)
        {
            ApplyLegacy(policy, index, change, creator, counts);
        }
        else
        {
            ApplyVersioned(index, change, creator, counts);
        }
    }

    /// <summary>The later of two words on a CIDR is the one that stands, here as on every node.</summary>
    private void ApplyVersioned(RegisterTable index, RemoteChange change, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        RuleVersion version = change.Version!.Value;
        if (!index.Accepts(version.Time))
        {
            counts.TooFarAhead++;
            return;
        }

        if (!index.IsNewer(change))
        {
            counts.Stale++;
            return;
        }

        if (!index.HasRoomFor(change))
        {
            counts.TableFull++;
            return;
        }

        if (change.State != RegisterState.Live || IsOver(change))
        {
            // A word whose time has come still takes the place of an older one.
            RegisterState state = change.State == RegisterState.Removed ? RegisterState.Removed : RegisterState.Expired;
            StoreOutcome removal = Withholds(index.Policy, change.Cidr, isAdd: false, 0, creator, counts)
                ? StoreOutcome.Refused
                : _store.Remove(index.Policy, change.Cidr, new ChangeContext(ChangeOrigin.Peer, creator), out _);
            EndWithholding(change.Cidr, removal);
            Count(removal, counts);
            if (removal != StoreOutcome.Refused)
            {
                index.Record(change.Cidr, version, state, RegisterFlags.None, default, 0, null);
            }

            return; // what was refused is news again when the nodes compare
        }

        ulong expiration = LocalExpiration(change);
        StoreOutcome outcome = Withholds(index.Policy, change.Cidr, isAdd: true, expiration, creator, counts)
            ? StoreOutcome.Refused
            : _store.Add(
                index.Policy, change.Cidr, change.Tag.Span, expiration, ConflictMode.Update,
                new ChangeContext(ChangeOrigin.Peer, creator, left: change.Left), out _);
        EndWithholding(change.Cidr, outcome);
        Count(outcome, counts);
        index.Record(change.Cidr, version, RegisterState.Live, FlagsFor(outcome), change.Tag.Span, expiration, change.Left);
    }

    /// <summary>
    /// A node that knows only the plain wire sends what its users did. It is stamped here as if done here, but not sent on:
    /// that node tells every other itself, and what it misses is found when peers compare.
    /// </summary>
    private void ApplyLegacy(Policy policy, RegisterTable? index, RemoteChange change, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        var context = new ChangeContext(ChangeOrigin.Peer, creator, left: change.Left);
        if (change.State != RegisterState.Live)
        {
            StoreOutcome removal = Withholds(policy, change.Cidr, isAdd: false, 0, creator, counts)
                ? StoreOutcome.Refused
                : _store.Remove(policy, change.Cidr, context, out _);
            EndWithholding(change.Cidr, removal);
            Count(removal, counts);
            if (removal is StoreOutcome.Removed or StoreOutcome.OwnedBySet && index is not null
                && index.TryGet(change.Cidr, out OutgoingJob known, out _) && known.State == RegisterState.Live)
            {
                index.Record(change.Cidr, index.NewVersion(change.Cidr), RegisterState.Removed, RegisterFlags.None, default, 0, null);
            }

            return;
        }

        if (IsOver(change))
        {
            counts.Stale++;
            return;
        }

        if (Withholds(policy, change.Cidr, isAdd: true, change.Expiration, creator, counts))
        {
            Count(StoreOutcome.Refused, counts);
            return;
        }

        StoreOutcome outcome = _store.Add(policy, change.Cidr, change.Tag.Span, change.Expiration, ConflictMode.Refuse, context, out Entry entry);
        Count(outcome == StoreOutcome.Conflict && entry.IsOfSet ? StoreOutcome.OwnedBySet : outcome, counts);
        if (outcome == StoreOutcome.Created)
        {
            index?.Record(
                change.Cidr, index.NewVersion(change.Cidr), RegisterState.Live, RegisterFlags.Applied, change.Tag.Span, change.Expiration, change.Left);
        }
    }

    private bool IsOver(RemoteChange change) => change.Left is { } left
        ? left <= TimeSpan.Zero
        : change.Expiration != 0 && change.Expiration <= (ulong)Time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>
    /// When the rule expires by our clock. Where the clocks agree it is the very second that the user gave; where they do
    /// not, the time left counts.
    /// </summary>
    private ulong LocalExpiration(RemoteChange change)
    {
        if (change.Expiration == 0 || change.Left is not { } left)
        {
            return change.Expiration;
        }

        double ours = (Time.GetUtcNow() - DateTimeOffset.UnixEpoch + left).TotalSeconds;
        return Math.Abs(ours - change.Expiration) < 1.5 ? change.Expiration : (ulong)Math.Ceiling(ours);
    }

    /// <summary>Tries again what the table or the data plane refused, and what a set has let go.</summary>
    private void RetryUnapplied(RegisterTable index)
    {
        for (int left = Math.Min(64, index.UnappliedCount); left > 0; left--)
        {
            using (_store.Hold())
            {
                if (!index.TryTakeUnapplied(out OutgoingJob job))
                {
                    return;
                }

                try
                {
                    var context = new ChangeContext(ChangeOrigin.Peer, "peering"u8, left: job.Left);
                    StoreOutcome outcome = Withholds(index.Policy, job.Cidr, isAdd: true, job.Expiration, context.Creator, new ApplyCounts())
                        ? StoreOutcome.Refused
                        : _store.Add(index.Policy, job.Cidr, job.Tag.Span, job.Expiration, ConflictMode.Update, context, out _);
                    EndWithholding(job.Cidr, outcome);
                    index.Record(job.Cidr, job.Version, RegisterState.Live, FlagsFor(outcome), job.Tag.Span, job.Expiration, job.Left);
                }
                catch
                {
                    index.ReturnUnapplied(job.Cidr);
                    throw;
                }
            }
        }
    }

    private static RegisterFlags FlagsFor(StoreOutcome outcome) => outcome switch
    {
        StoreOutcome.Created or StoreOutcome.Updated or StoreOutcome.Unchanged => RegisterFlags.Applied,
        StoreOutcome.OwnedBySet => RegisterFlags.Shadowed,
        _ => RegisterFlags.None,
    };

    private static void Count(StoreOutcome outcome, ApplyCounts counts)
    {
        switch (outcome)
        {
            case StoreOutcome.Created or StoreOutcome.Updated or StoreOutcome.Removed:
                counts.Applied++;
                break;
            case StoreOutcome.OwnedBySet:
                counts.OwnedBySet++;
                break;
            case StoreOutcome.Full or StoreOutcome.Refused:
                counts.Refused++;
                break;
            default:
                counts.Stale++;
                break;
        }
    }

    /// <summary>Objections of one batch that are logged.</summary>
    private const int MaxLoggedObjections = 10;

    /// <summary>
    /// Asks the guard about a peer's rule. True: it is not put into force here, and is tried again like one that found the table full. A rule
    /// that is in force already changes nobody's access. The caller holds the store.
    /// </summary>
    private bool Withholds(Policy policy, Cidr cidr, bool isAdd, ulong expiration, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        LockoutGuard guard = _store.Guard;
        LockoutObjection? objection = (policy, isAdd) switch
        {
            (Policy.Drop, true) => guard.ObjectionToDrop(cidr),
            (Policy.Ignore, false) => guard.ObjectionToUnignore(cidr),
            _ => null,
        };
        if (objection is null || (isAdd && _store.TryGet(policy, cidr, out _)))
        {
            return false;
        }

        bool isWithheld = guard.Refuses(objection, LockoutStance.Default);
        string action = isAdd ? "addition" : "removal";
        bool isNews = !isWithheld || guard.Withheld.Add(cidr, $"{action} of {cidr} of {policy.Name()} by a peer: {objection.Reason}", expiration);
        if (isNews && counts.Objections++ < MaxLoggedObjections)
        {
            string client = Encoding.UTF8.GetString(creator);
            if (isWithheld)
            {
                PeeringLog.Withheld(Log, action, policy.Name(), cidr, client, objection.Text);
            }
            else
            {
                PeeringLog.MayLockOut(Log, action, policy.Name(), cidr, client, objection.Reason);
            }
        }

        return isWithheld;
    }

    /// <summary>A peer's rule is in force, or is not wanted any more.</summary>
    private void EndWithholding(Cidr cidr, StoreOutcome outcome)
    {
        if (outcome != StoreOutcome.Refused)
        {
            _store.Guard.Withheld.Remove(cidr);
        }
    }
}

/// <summary>What another node says about a CIDR.</summary>
/// <param name="Stamp">Null when a node that knows only the plain wire said it.</param>
/// <param name="Expiration">Seconds since 1970 by the sender's clock; 0 for never.</param>
/// <param name="Left">Time to live that is left; null goes by the expiration.</param>
internal sealed record RemoteChange(
    Cidr Cidr, RuleVersion? Version, RegisterState State, ReadOnlyMemory<byte> Tag, ulong Expiration, TimeSpan? Left);

/// <summary>How the changes of one batch or answer ended.</summary>
public sealed class ApplyCounts
{
    public int Applied { get; set; }

    /// <summary>Known already, older than what is known, absent, or over before it came.</summary>
    public int Stale { get; set; }

    /// <summary>Left alone because a set of this node defines the CIDR.</summary>
    public int OwnedBySet { get; set; }

    /// <summary>The table was full, or the data plane or the guard refused; tried again later.</summary>
    public int Refused { get; set; }

    /// <summary>There was no room to record it; not tried again, but found when the nodes compare.</summary>
    public int TableFull { get; set; }

    /// <summary>Stamped too far ahead of the own clock.</summary>
    public int TooFarAhead { get; set; }

    /// <summary>Changes that the guard objected to, whether they were made or not.</summary>
    public int Objections { get; set; }
}
