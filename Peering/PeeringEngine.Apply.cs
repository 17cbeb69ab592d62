using System.Text;
using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeeringEngine
{
    /// <summary>Changes per acquisition of the store lock; other requests wait for microseconds.</summary>
    private const int Slice = 32;

    /// <summary>Longest time that a slice holds the store lock.</summary>
    private static readonly TimeSpan MaxHold = TimeSpan.FromMilliseconds(5);

    /// <summary>The longest plausible transit of a request; a longer one means that a clock was set.</summary>
    public static readonly TimeSpan MaxTransit = TimeSpan.FromSeconds(30);

    /// <summary>Applies a peer's batch; a refused job does not stop the others.</summary>
    /// <param name="creator">Name of the client that sent it.</param>
    public ApplyCounts ApplyJobs(Policy policy, IncomingBatch batch, ReadOnlySpan<byte> creator)
    {
        var counts = new ApplyCounts();
        ApplyJobs(policy, batch, 0, Timeout.InfiniteTimeSpan, creator, counts);
        return counts;
    }

    /// <summary>Applies jobs from an index on until the time is over, at least one slice.</summary>
    /// <returns>The index after the last applied job.</returns>
    public int ApplyJobs(Policy policy, IncomingBatch batch, int from, TimeSpan limit, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        TimeSpan transit = batch.SentAt is { } sentAt ? Transit(Time.GetUtcNow() - sentAt) : TimeSpan.Zero;
        return ApplySlices(policy, batch.Jobs.Count, i => ChangeOf(batch.Jobs[i], transit), from, limit, creator, counts);
    }

    private static RemoteChange ChangeOf(IncomingJob job, TimeSpan transit) => new(
        job.Cidr, job.Version, job.IsAdd ? RegisterState.Live : RegisterState.Removed, job.Tag, job.IsAdd ? job.Expiration : 0, job.TimeToLive - transit)
    {
        Reason = job.IsAdd ? job.Reason : default,
    };

    /// <summary>The transit time, or zero if the clocks make it implausible.</summary>
    public static TimeSpan Transit(TimeSpan measured) => measured > TimeSpan.Zero && measured <= MaxTransit ? measured : TimeSpan.Zero;

    public ApplyCounts Apply(Policy policy, IReadOnlyList<RemoteChange> changes, ReadOnlySpan<byte> creator)
    {
        var counts = new ApplyCounts();
        ApplySlices(policy, changes.Count, i => changes[i], 0, Timeout.InfiniteTimeSpan, creator, counts);
        return counts;
    }

    /// <summary>
    /// Applies changes in slices, each under one acquisition of the store lock. A slice ends early when its changes take long,
    /// so other clients wait for one change at most, never for a batch.
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

            // The lock is not fair: without a pause this thread would mostly acquire it again at once.
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

    /// <summary>
    /// Applies a change of another node: the only place where one enters the store. The caller holds the store lock.
    /// </summary>
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

    /// <summary>Last writer wins: the change with the greater version is in force, here as on every node.</summary>
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
            // An expired change still replaces an older one.
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

            return; // a refused removal is retried at the next comparison
        }

        ulong expiration = LocalExpiration(change);
        StoreOutcome outcome = Withholds(index.Policy, change.Cidr, isAdd: true, expiration, creator, counts)
            ? StoreOutcome.Refused
            : _store.Add(
                index.Policy, change.Cidr, change.Tag.Span, expiration, ConflictMode.Update,
                new ChangeContext(ChangeOrigin.Peer, creator, left: change.Left, reason: change.Reason.Span), out _);
        EndWithholding(change.Cidr, outcome);
        Count(outcome, counts);
        index.Record(change.Cidr, version, RegisterState.Live, FlagsFor(outcome), change.Tag.Span, expiration, change.Left, change.Reason.Span);
    }

    /// <summary>
    /// A change from a legacy node has no version. It gets one as if it were made here, but is not forwarded: the legacy node
    /// sends it to every other node itself, and comparisons repair what is missed.
    /// </summary>
    private void ApplyLegacy(Policy policy, RegisterTable? index, RemoteChange change, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        var context = new ChangeContext(ChangeOrigin.Peer, creator, left: change.Left, reason: change.Reason.Span);
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
                change.Cidr, index.NewVersion(change.Cidr), RegisterState.Live, RegisterFlags.Applied, change.Tag.Span, change.Expiration, change.Left, change.Reason.Span);
        }
    }

    private bool IsOver(RemoteChange change) => change.Left is { } left
        ? left <= TimeSpan.Zero
        : change.Expiration != 0 && change.Expiration <= (ulong)Time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>
    /// When the rule expires by the local clock. Where the clocks agree, that is the second which the user gave; otherwise the
    /// remaining time to live counts.
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

    /// <summary>Retries changes that the store table or the data plane refused, or that a set no longer shadows.</summary>
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
                    var context = new ChangeContext(ChangeOrigin.Peer, "peering"u8, left: job.Left, reason: job.Reason.Span);
                    StoreOutcome outcome = Withholds(index.Policy, job.Cidr, isAdd: true, job.Expiration, context.Creator, new ApplyCounts())
                        ? StoreOutcome.Refused
                        : _store.Add(index.Policy, job.Cidr, job.Tag.Span, job.Expiration, ConflictMode.Update, context, out _);
                    EndWithholding(job.Cidr, outcome);
                    index.Record(job.Cidr, job.Version, RegisterState.Live, FlagsFor(outcome), job.Tag.Span, job.Expiration, job.Left, job.Reason.Span);
                }
                catch
                {
                    index.ReturnUnapplied(job.Cidr);
                    throw;
                }
            }
        }
    }

    /// <summary>Removes what a value should have replaced that expired before the data plane took it.</summary>
    private void RemoveLapsed(RegisterTable index)
    {
        foreach (Cidr cidr in index.TakeLapsed())
        {
            using (_store.Hold())
            {
                if (index.TryGet(cidr, out OutgoingJob job, out _) && job.State == RegisterState.Live)
                {
                    continue; // a newer value has come
                }

                var context = new ChangeContext(ChangeOrigin.Peer, "peering"u8);
                if (Withholds(index.Policy, cidr, isAdd: false, 0, context.Creator, new ApplyCounts())
                    || _store.Remove(index.Policy, cidr, context, out _) == StoreOutcome.Refused)
                {
                    index.ReturnLapsed(cidr);
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

    /// <summary>Objections logged per batch.</summary>
    private const int MaxLoggedObjections = 10;

    /// <summary>
    /// Asks the lock-out guard about a peer's change. Returns true if the change must not take effect here; it is retried like
    /// one that found the table full. The caller holds the store lock.
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

    /// <summary>The change took effect, or is obsolete.</summary>
    private void EndWithholding(Cidr cidr, StoreOutcome outcome)
    {
        if (outcome != StoreOutcome.Refused)
        {
            _store.Guard.Withheld.Remove(cidr);
        }
    }
}

/// <summary>A change that another node sent.</summary>
/// <param name="Version">Null when a legacy node sent it.</param>
/// <param name="Expiration">Seconds since 1970 by the sender's clock; 0 for never.</param>
/// <param name="Left">Remaining time to live; null where the expiration counts.</param>
internal sealed record RemoteChange(
    Cidr Cidr, RuleVersion? Version, RegisterState State, ReadOnlyMemory<byte> Tag, ulong Expiration, TimeSpan? Left)
{
    /// <summary>Why the entry exists; empty for none. It is part of the value, but not of the digest: the version stands for it.</summary>
    public ReadOnlyMemory<byte> Reason { get; init; }
}

/// <summary>Outcomes of the changes in one batch or answer.</summary>
public sealed class ApplyCounts
{
    public int Applied { get; set; }

    /// <summary>Already known, older than the known version, absent, or expired on arrival.</summary>
    public int Stale { get; set; }

    /// <summary>Not applied because a set on this node defines the CIDR.</summary>
    public int OwnedBySet { get; set; }

    /// <summary>The store table was full, or the data plane or the guard refused; retried later.</summary>
    public int Refused { get; set; }

    /// <summary>The register table was full; not retried, but a later comparison finds it.</summary>
    public int TableFull { get; set; }

    /// <summary>The version is too far ahead of the local clock.</summary>
    public int TooFarAhead { get; set; }

    /// <summary>Changes that the guard objected to, applied or not.</summary>
    public int Objections { get; set; }
}
