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
            _ => TryServeLeaves(index, body, answer),
        };
        return served ? SyncOutcome.Answered : SyncOutcome.Malformed;
    }

    private SyncOutcome ServeHello(ReplicaIndex index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer, string client)
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
    public SyncHead HeadOf(ReplicaIndex index, uint queued, long mark, ulong markNode)
    {
        (ulong root, int live) = index.Summary();
        return new SyncHead(Node, Math.Max(0, Time.GetUtcNow().ToUnixTimeMilliseconds()), index.Time, root, (uint)live, queued, mark, markNode);
    }

    /// <summary>Whoever greets us can be reached again, most likely. Returns what we have yet to send to it.</summary>
    private uint Greeted(ReplicaIndex index, in SyncHead head, string client)
    {
        bool isKeyNew = Keys.Learn(client, head.Node, head.Key);
        PeerLink[] links = Volatile.Read(ref _links);
        foreach (PeerLink link in links)
        {
            if (link.PeerNode == head.Node)
            {
                link.OnGreeted(index.Policy, head, isKeyNew);
                return (uint)index.QueueState(link.Number).Count;
            }
        }

        Touch(); // somebody new: a node that was restarted, or one that we have not reached yet
        foreach (PeerLink link in links)
        {
            link.OnGreetedByStranger();
        }

        return 0;
    }

    private static bool TryServeBranches(ReplicaIndex index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer)
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

    private bool TryServeLeaves(ReplicaIndex index, ReadOnlySpan<byte> body, IBufferWriter<byte> answer)
    {
        var ranges = new List<LeafRange>();
        if (!SyncMessage.TryReadKey(body, out _) || !SyncMessage.TryReadRanges(body, ranges))
        {
            return false;
        }

        var output = new ArrayBufferWriter<byte>(4_096);
        var records = new List<OutgoingJob>();
        int next = DigestTree.Leaves;
        foreach (LeafRange range in ranges)
        {
            for (int leaf = range.First; leaf < range.First + range.Count && next == DigestTree.Leaves; leaf++)
            {
                records.Clear();
                index.ReadLeaf(leaf, records);
                foreach (OutgoingJob record in records)
                {
                    SyncRecords.Write(output, record);
                }

                bool isLast = range == ranges[^1] && leaf == range.First + range.Count - 1;
                next = output.WrittenCount > SyncMessage.TargetBytes && !isLast ? leaf + 1 : next;
            }
        }

        SyncRecords.WriteHead(answer.GetSpan(SyncRecords.HeadBytes), next, Time.GetUtcNow());
        answer.Advance(SyncRecords.HeadBytes);
        answer.Write(output.WrittenSpan);
        return true;
    }
}
