using System.Buffers;

using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeeringEngine
{
    /// <summary>What this node uses beyond the wire format of couic 2.0, with the nodes that know it too; tests have less.</summary>
    public SyncFeatures Features { get; init; } = SyncFeatures.Reasons;

    /// <summary>Answers <c>POST /v1/{policy}/peer/sync</c>.</summary>
    /// <param name="client">Name of the requesting client.</param>
    public SyncOutcome ServeSync(Policy policy, ReadOnlySpan<byte> body, IBufferWriter<byte> answer, string client = "")
    {
        if (IndexOf(policy) is not { } index || body.Length > SyncMessage.MaxRequestBytes || !SyncMessage.TryReadKind(body, out SyncKind kind))
        {
            return SyncOutcome.Malformed;
        }

        if (kind != SyncKind.Hello && SyncMessage.TryReadKey(body, out ulong key) && key != Keys.Own)
        {
            return SyncOutcome.Forbidden;
        }

        if (kind == SyncKind.Hello)
        {
            return ServeHello(index, body, answer, client);
        }

        bool served = kind switch
        {
            SyncKind.Branches => TryServeBranches(index, body, answer),
            SyncKind.Leaves => TryServeLeaves(index, body, answer),
            SyncKind.PartHashes => TryServePartHashes(index, body, answer),
            _ => TryServeParts(index, body, answer),
        };
        return served ? SyncOutcome.Answered : SyncOutcome.Malformed;
    }

    private SyncOutcome ServeHello(RegisterTable index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer, string client)
    {
        if (!SyncMessage.TryReadHello(body, out SyncHead head))
        {
            return SyncOutcome.Malformed;
        }

        if (TimeObjection(index, head) is { } objection)
        {
            Refused(client, objection);
            return SyncOutcome.ClockOff;
        }

        index.ObserveTime(head.Time);
        uint queued = Greeted(index, head, client);
        SyncHead own = HeadOf(index, queued, Time.GetTimestamp(), Node) with { Key = (ulong)Features };
        Span<ulong> hashes = stackalloc ulong[DigestTree.Branches];
        index.CopyBranchHashes(hashes);
        SyncMessage.WriteHelloAnswer(answer, own, own.Root == head.Root ? default : hashes);
        return SyncOutcome.Answered;
    }

    /// <summary>The head of a hello of this node.</summary>
    public SyncHead HeadOf(RegisterTable index, uint queued, long mark, ulong markNode)
    {
        (ulong root, int live) = index.Summary();
        return new SyncHead(Node, Math.Max(0, Time.GetUtcNow().ToUnixTimeMilliseconds()), index.Time, root, (uint)live, queued, mark, markNode);
    }

    /// <summary>Handles a hello: its sender can probably be reached again. Returns how many changes are queued for it.</summary>
    private uint Greeted(RegisterTable index, in SyncHead head, string client)
    {
        bool isKeyNew = Keys.Learn(client, head.Node, head.Key);
        PeerSession[] sessions = Volatile.Read(ref _sessions);
        foreach (PeerSession session in sessions)
        {
            if (session.PeerNode == head.Node)
            {
                session.OnGreeted(index.Policy, head, isKeyNew);
                return (uint)index.QueueState(session.Number).Count;
            }
        }

        Touch(); // a node that restarted, or one that this node has not reached yet
        foreach (PeerSession session in sessions)
        {
            session.OnGreetedByUnknownNode();
        }

        return 0;
    }

    private static bool TryServeBranches(RegisterTable index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer)
    {
        var branches = new List<int>();
        if (!SyncMessage.TryReadKey(body, out _) || !SyncMessage.TryReadBranchIds(body, branches))
        {
            return false;
        }

        Span<ulong> hashes = stackalloc ulong[DigestTree.LeavesPerBranch];
        SyncMessage.WriteBranchAnswerStart(answer);
        foreach (int branch in branches)
        {
            index.CopyLeafHashes(branch, hashes);
            SyncMessage.WriteLeafHashes(answer, hashes);
        }

        return true;
    }

    private bool TryServeLeaves(RegisterTable index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer)
    {
        var ranges = new List<LeafRange>();
        if (!SyncMessage.TryReadKey(body, out _) || !SyncMessage.TryReadRanges(body, ranges))
        {
            return false;
        }

        var output = new ArrayBufferWriter<byte>(4_096);
        int next = ReadLeaves(index, ranges, output, SyncMessage.WantsReasons(body));
        WriteRecords(answer, SyncKind.Leaves, next, output.WrittenSpan);
        return true;
    }

    /// <summary>Reads leaves until the answer reaches its target size, or a leaf would exceed it.</summary>
    /// <returns>The leaf to continue from, with a flag if it is crowded.</returns>
    private static int ReadLeaves(RegisterTable index, List<LeafRange> ranges, ArrayBufferWriter<byte> output, bool withReasons)
    {
        var records = new List<OutgoingJob>();
        foreach (LeafRange range in ranges)
        {
            for (int leaf = range.First; leaf < range.First + range.Count; leaf++)
            {
                if (output.WrittenCount > SyncMessage.TargetBytes)
                {
                    return leaf;
                }

                records.Clear();
                if (!index.ReadLeaf(leaf, records, SyncMessage.MaxLeafRecords))
                {
                    return leaf | SyncRecords.Crowded;
                }

                Write(records, output, withReasons);
            }
        }

        return DigestTree.Leaves;
    }

    private static bool TryServePartHashes(RegisterTable index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer)
    {
        if (!SyncMessage.TryReadKey(body, out _) || !SyncMessage.TryReadCrowdedLeaf(body, out CrowdedLeaf leaf))
        {
            return false;
        }

        Span<ulong> hashes = stackalloc ulong[KeyedParts.Count];
        index.CopyPartHashes(leaf.Leaf, new KeyedParts(leaf.PartKey), hashes);
        SyncMessage.WritePartHashes(answer, hashes);
        return true;
    }

    private bool TryServeParts(RegisterTable index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer)
    {
        var ranges = new List<LeafRange>();
        if (!SyncMessage.TryReadKey(body, out _) || !SyncMessage.TryReadCrowdedLeaf(body, out CrowdedLeaf leaf) || !SyncMessage.TryReadParts(body, ranges))
        {
            return false;
        }

        var parts = new KeyedParts(leaf.PartKey);
        var wanted = new bool[KeyedParts.Count];
        int next = Choose(index, leaf.Leaf, parts, ranges, wanted);
        var records = new List<OutgoingJob>();
        index.ReadParts(leaf.Leaf, parts, wanted, records);
        var output = new ArrayBufferWriter<byte>(4_096);
        Write(records, output, SyncMessage.WantsReasons(body));
        WriteRecords(answer, SyncKind.Parts, next, output.WrittenSpan);
        return true;
    }

    /// <summary>Selects as many parts as fit into one answer, at least one.</summary>
    /// <returns>The part to continue from.</returns>
    private static int Choose(RegisterTable index, int leaf, KeyedParts parts, List<LeafRange> ranges, Span<bool> wanted)
    {
        Span<int> counts = stackalloc int[KeyedParts.Count];
        index.CountParts(leaf, parts, counts);
        int records = 0;
        foreach (LeafRange range in ranges)
        {
            for (int part = range.First; part < range.First + range.Count; part++)
            {
                if (records > 0 && records + counts[part] > SyncMessage.MaxLeafRecords)
                {
                    return part;
                }

                records += counts[part];
                wanted[part] = true;
            }
        }

        return KeyedParts.Count;
    }

    private static void Write(List<OutgoingJob> records, ArrayBufferWriter<byte> output, bool withReasons)
    {
        foreach (OutgoingJob record in records)
        {
            RegisterCodec.Write(output, record, withReasons);
        }
    }

    private void WriteRecords(IBufferWriter<byte> answer, SyncKind kind, int next, ReadOnlySpan<byte> records)
    {
        SyncRecords.WriteHead(answer.GetSpan(SyncRecords.HeadBytes), next, Time.GetUtcNow(), kind);
        answer.Advance(SyncRecords.HeadBytes);
        answer.Write(records);
    }
}
