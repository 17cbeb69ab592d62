using System.Text;
using Couic.Store;

namespace Couic.Peering;

/// <summary>Lists for the operator the rules on which this node and a peer differ.</summary>
internal sealed class DifferenceFinder(PeeringEngine engine, IPeerTransport transport, PeerSettings peer)
{
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(30);

    private readonly List<PeerDifference> _items = [];
    private readonly long _start = engine.Time.GetTimestamp();

    public async Task<PeerDifferences> RunAsync(int limit)
    {
        foreach (Policy policy in engine.Settings.Policies)
        {
            if (engine.IndexOf(policy) is { } index && await CompareAsync(index, limit).ConfigureAwait(false) is { } fault)
            {
                return new PeerDifferences([], false, $"{policy.Name()}: {fault}");
            }
        }

        return new PeerDifferences(_items, _items.Count >= limit, null);
    }

    /// <returns>Null on success.</returns>
    private async Task<string?> CompareAsync(RegisterTable index, int limit)
    {
        SyncHead own = engine.HeadOf(index, 0, 0, 0) with { Root = 0 }; // no root of ours: the hashes come whatever they are
        PeerAnswer answer = await SendAsync(index.Policy, SyncMessage.Hello(own)).ConfigureAwait(false);
        var hashes = new ulong[DigestTree.Branches];
        if (FaultOf(answer) is { } fault)
        {
            return fault;
        }

        if (!SyncMessage.TryReadHelloAnswer(answer.Body.Span, out SyncHead head, hashes, out bool hasHashes))
        {
            return "its answer is not valid";
        }

        if (!engine.Keys.TryGet(head.Node, out ulong key))
        {
            return "it has not sent a hello to this node yet (does its configuration name this node?)";
        }

        AntiEntropySession comparison = Start(index, head, key, hasHashes ? hashes : new ulong[DigestTree.Branches]);
        if (comparison.Branches.Count > 0)
        {
            int asked = comparison.Branches.Count;
            answer = await SendAsync(index.Policy, SyncMessage.AskBranches(key, comparison.Branches)).ConfigureAwait(false);
            if (!answer.IsSuccess || !SyncMessage.TryReadBranchAnswer(answer.Body.Span, asked, out ulong[] leaves))
            {
                return FaultOf(answer) ?? "its answer is not valid";
            }

            comparison.AddLeaves(index, leaves);
        }

        while (comparison.Ranges.Count > 0 && _items.Count < limit)
        {
            if (engine.Time.GetElapsedTime(_start) > TimeLimit)
            {
                return "it takes too long";
            }

            if ((comparison.Crowded is null
                ? await ReadLeavesAsync(index, comparison, limit).ConfigureAwait(false)
                : await ReadPartsAsync(index, comparison, limit).ConfigureAwait(false)) is { } wrong)
            {
                return wrong;
            }
        }

        return null;
    }

    private async Task<string?> ReadLeavesAsync(RegisterTable index, AntiEntropySession comparison, int limit)
    {
        PeerAnswer answer = await SendAsync(index.Policy, SyncMessage.AskLeaves(comparison.Key, comparison.Ranges)).ConfigureAwait(false);
        var records = new List<RemoteChange>();
        if (!answer.IsSuccess || !SyncRecords.TryRead(answer.Body.Span, SyncKind.Leaves, out int next, out bool isCrowded, out _, records)
            || next < comparison.Ranges[0].First + (isCrowded ? 0 : 1))
        {
            return FaultOf(answer) ?? "its answer is not valid";
        }

        var own = new List<OutgoingJob>();
        foreach (LeafRange range in comparison.Ranges)
        {
            for (int leaf = range.First; leaf < Math.Min(next, range.First + range.Count); leaf++)
            {
                index.ReadLeaf(leaf, own);
            }
        }

        Collect(index.Policy, own, records, limit);
        if (isCrowded)
        {
            comparison.SplitLeaf(next, (ulong)engine.Jitter.NextInt64() ^ engine.Keys.Own);
        }
        else
        {
            comparison.ContinueFrom(next);
        }

        return null;
    }

    private async Task<string?> ReadPartsAsync(RegisterTable index, AntiEntropySession comparison, int limit)
    {
        CrowdedLeaf leaf = comparison.Crowded!.Value;
        if (comparison.Parts.Count == 0)
        {
            PeerAnswer hashes = await SendAsync(index.Policy, SyncMessage.AskPartHashes(comparison.Key, leaf)).ConfigureAwait(false);
            var theirs = new ulong[KeyedParts.Count];
            if (!hashes.IsSuccess || !SyncMessage.TryReadPartHashes(hashes.Body.Span, theirs))
            {
                return FaultOf(hashes) ?? "its answer is not valid";
            }

            comparison.AddParts(index, theirs);
            return null;
        }

        PeerAnswer answer = await SendAsync(index.Policy, SyncMessage.AskParts(comparison.Key, leaf, comparison.Parts)).ConfigureAwait(false);
        var records = new List<RemoteChange>();
        if (!answer.IsSuccess || !SyncRecords.TryRead(answer.Body.Span, SyncKind.Parts, out int next, out _, out _, records)
            || next <= comparison.Parts[0].First)
        {
            return FaultOf(answer) ?? "its answer is not valid";
        }

        var wanted = new bool[KeyedParts.Count];
        foreach (LeafRange range in comparison.Parts)
        {
            for (int part = range.First; part < Math.Min(next, range.First + range.Count); part++)
            {
                wanted[part] = true;
            }
        }

        var own = new List<OutgoingJob>();
        index.ReadParts(leaf.Leaf, new KeyedParts(leaf.PartKey), wanted, own);
        Collect(index.Policy, own, records, limit);
        comparison.ContinueFromPart(next);
        return null;
    }

    private static AntiEntropySession Start(RegisterTable index, in SyncHead head, ulong key, ReadOnlySpan<ulong> hashes)
    {
        Span<ulong> own = stackalloc ulong[DigestTree.Branches];
        index.CopyBranchHashes(own);
        return AntiEntropySession.OfBranches(index.Policy, head, key, own, hashes);
    }

    private void Collect(Policy policy, List<OutgoingJob> own, List<RemoteChange> records, int limit)
    {
        var there = new Dictionary<Cidr, RemoteChange>();
        foreach (RemoteChange record in records.Where(record => record.State == RegisterState.Live))
        {
            there[record.Cidr] = record; // a peer may name one twice
        }

        foreach (OutgoingJob here in own.Where(r => r.State == RegisterState.Live))
        {
            if (!there.Remove(here.Cidr, out RemoteChange? other))
            {
                Add(policy, here.Cidr, Rule(here.Tag, here.Expiration), null, limit);
            }
            else if (other.Version != here.Version)
            {
                Add(policy, here.Cidr, Rule(here.Tag, here.Expiration), Rule(other.Tag, other.Expiration), limit);
            }
        }

        foreach (RemoteChange other in there.Values)
        {
            Add(policy, other.Cidr, null, Rule(other.Tag, other.Expiration), limit);
        }
    }

    private void Add(Policy policy, Cidr cidr, PeerDifference.Rule? here, PeerDifference.Rule? there, int limit)
    {
        if (_items.Count < limit)
        {
            _items.Add(new PeerDifference(policy, cidr, here, there));
        }
    }

    private static PeerDifference.Rule Rule(ReadOnlyMemory<byte> tag, ulong expiration) => new(Encoding.UTF8.GetString(tag.Span), expiration);

    private static string? FaultOf(in PeerAnswer answer) => answer switch
    {
        { IsSuccess: true } => null,
        { Failure: not PeerFailure.None } => answer.Detail,
        { Status: 404 } when RefusalText.Of(answer.Body.Span) == PeeringService.OffMessage => "peering is off there ([peering] enabled in its configuration)",
        { Status: 404 or 405 } => "it speaks the protocol of couic 1.x, which has no comparison",
        { Status: 401 } => "it refuses the token, or the policy",
        _ => $"status {answer.Status}",
    };

    private Task<PeerAnswer> SendAsync(Policy policy, byte[] body)
    {
        var done = new TaskCompletionSource<PeerAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        transport.Post(new PeerRequest(peer, policy, PeerVerb.Sync, body, answer => done.SetResult(answer)));
        return done.Task;
    }
}
