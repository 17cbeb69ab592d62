using System.Buffers;

using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeeringEngine
{
    /// <summary>Answers <c>POST /v1/{policy}/peer/sync</c>.</summary>
    /// <param name="client">Name of the client that asks.</param>
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
            SyncKind.PartSums => TryServePartSums(index, body, answer),
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
        SyncHead own = HeadOf(index, queued, Time.GetTimestamp(), Node);
        Span<ulong> sums = stackalloc ulong[DigestTree.Branches];
        index.CopyBranchSums(sums);
        SyncMessage.WriteHelloAnswer(answer, own, own.Root == head.Root ? default : sums);
        return SyncOutcome.Answered;
    }

    /// <summary>Our side of a hello.</summary>
    public SyncHead HeadOf(RegisterTable index, uint queued, long mark, ulong markNode)
    {
        (ulong root, int live) = index.Summary();
        return new SyncHead(Node, Math.Max(0, Time.GetUtcNow().ToUnixTimeMilliseconds()), index.Time, root, (uint)live, queued, mark, markNode);
    }

    /// <summary>Whoever greets us can be reached again, most likely. Returns what we have yet to send to it.</summary>
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

        Touch(); // somebody new: a node that was restarted, or one that we have not reached yet
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

        Span<ulong> sums = stackalloc ulong[DigestTree.LeavesPerBranch];
        SyncMessage.WriteBranchAnswerStart(answer);
        foreach (int branch in branches)
        {
            index.CopyLeafSums(branch, sums);
            SyncMessage.WriteLeafSums(answer, sums);
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
        int next = ReadLeaves(index, ranges, output);
        WriteRecords(answer, SyncKind.Leaves, next, output.WrittenSpan);
        return true;
    }

    /// <summary>Reads leaves until the answer is large enough, or a leaf would make it too large.</summary>
    /// <returns>The leaf to go on from, marked if it is crowded.</returns>
    private static int ReadLeaves(RegisterTable index, List<LeafRange> ranges, ArrayBufferWriter<byte> output)
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

                Write(records, output);
            }
        }

        return DigestTree.Leaves;
    }

    private static bool TryServePartSums(RegisterTable index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer)
    {
        if (!SyncMessage.TryReadKey(body, out _) || !SyncMessage.TryReadCrowdedLeaf(body, out CrowdedLeaf leaf))
        {
            return false;
        }

        Span<ulong> sums = stackalloc ulong[KeyedParts.Count];
        index.CopyPartSums(leaf.Leaf, new KeyedParts(leaf.PartKey), sums);
        SyncMessage.WritePartSums(answer, sums);
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
        Write(records, output);
        WriteRecords(answer, SyncKind.Parts, next, output.WrittenSpan);
        return true;
    }

    /// <summary>As many of the parts as fit into one answer, at least one.</summary>
    /// <returns>The part to go on from.</returns>
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

    private static void Write(List<OutgoingJob> records, ArrayBufferWriter<byte> output)
    {
        foreach (OutgoingJob record in records)
        {
            SyncRecords.Write(output, record);
        }
    }

    private void WriteRecords(IBufferWriter<byte> answer, SyncKind kind, int next, ReadOnlySpan<byte> records)
    {
        SyncRecords.WriteHead(answer.GetSpan(SyncRecords.HeadBytes), next, Time.GetUtcNow(), kind);
        answer.Advance(SyncRecords.HeadBytes);
        answer.Write(records);
    }
}
