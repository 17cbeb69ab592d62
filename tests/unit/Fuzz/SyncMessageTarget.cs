using System.Buffers;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Couic.Tests.Fuzz;

/// <summary>
/// Messages of the comparison, as a question to a node and as an answer of one: never an exception, records are sound, answers are
/// bounded, and what a message says of time never moves the node's clock beyond what peers accept.
/// </summary>
internal sealed class SyncMessageTarget : FuzzTarget
{
    private const ulong Key = 0x0101010101010101;

    private readonly ManualClock _clock = new();
    private readonly PeeringEngine _engine;

    public SyncMessageTarget()
    {
        var store = new RuleStore(new ModelPlane { Checks = false }, StoreLimits.Default, _clock);
        _engine = new PeeringEngine(store, new NoTransport(), _clock, new Random(1), NullLogger.Instance, 1, Key);
        _engine.Reconfigure(new PeeringSettings(true, [Policy.Drop], []));
        store.Add(Policy.Drop, Cidr.FromV4(0x0a000001), "tag"u8, 0, ConflictMode.Update, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
    }

    public override string Name => "sync";

    public override byte[][] Pieces { get; } =
    [
        [1, 1], [1, 2, 1, 1, 1, 1, 1, 1, 1, 1], [1, 3, 1, 1, 1, 1, 1, 1, 1, 1], [1, 4, 1, 1, 1, 1, 1, 1, 1, 1], [1, 5, 1, 1, 1, 1, 1, 1, 1, 1], [2, 3, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0xff, 0xff], [0xff, 0xff], [0, 1, 0, 0], [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xf0, 0, 0, 0, 0, 0, 0, 0],
        [0x40, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0xe6, 0x77, 0xd2, 0x1f, 0xdb, 0xff], [0, 0x10, 0, 0], [28, 32, 10, 0, 0, 1], [1, 32, 10, 0, 0, 1], [3, (byte)'t', (byte)'a', (byte)'g'],
    ];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            var head = new SyncHead(7, 1_772_366_400_000, 1_772_366_400_000UL << 16, 4, 5, 6, 7, 8, 9);
            yield return SyncMessage.Hello(head);
            yield return SyncMessage.AskBranches(Key, [0, 7]);
            yield return SyncMessage.AskLeaves(Key, [new LeafRange(0, 5), new LeafRange(9, 1)]);
            yield return SyncMessage.AskLeaves(Key, [new LeafRange(0, 5)], SyncFeatures.Reasons);
            yield return SyncMessage.AskPartHashes(Key, new CrowdedLeaf(7, 8));
            yield return SyncMessage.AskParts(Key, new CrowdedLeaf(7, 8), [new LeafRange(0, KeyedParts.Count)]);
            var answer = new ArrayBufferWriter<byte>();
            SyncRecords.WriteHead(answer.GetSpan(SyncRecords.HeadBytes), 5, DateTimeOffset.UnixEpoch.AddDays(20_000));
            answer.Advance(SyncRecords.HeadBytes);
            RegisterCodec.Write(answer, new OutgoingJob(Cidr.FromV4(1), new RuleVersion(1, 2), RegisterState.Live, "tag"u8.ToArray(), 5, TimeSpan.FromSeconds(3), false, default) { Reason = "why"u8.ToArray() }, withReason: true);
            yield return answer.WrittenSpan.ToArray();
        }
    }

    public override string Check(byte[] input)
    {
        var answer = new ArrayBufferWriter<byte>();
        SyncOutcome outcome = _engine.ServeSync(Policy.Drop, input, answer, "fuzzer");
        Require(answer.WrittenCount <= 1024 * 1024, $"an answer of {answer.WrittenCount} bytes");
        var records = new List<RemoteChange>();
        bool areRecords = SyncRecords.TryRead(input, SyncKind.Leaves, out int next, out bool isCrowded, out _, records)
            || SyncRecords.TryRead(input, SyncKind.Parts, out next, out isCrowded, out _, records);
        Require(records.TrueForAll(record => record.Cidr.IsNetwork && TagRule.Fault(record.Tag.Span) is null && ReasonRule.Fault(record.Reason.Span) is null), "a bad record");
        Require(!areRecords || next is >= 0 and <= DigestTree.Leaves, $"a leaf {next}");
        if (areRecords)
        {
            _engine.Apply(Policy.Drop, records, "fuzzer"u8);
            _engine.Tick();
        }

        _ = SyncMessage.TryReadHelloAnswer(input, out _, new ulong[DigestTree.Branches], out _);
        _ = SyncMessage.TryReadBranchAnswer(input, 2, out _);
        _ = SyncMessage.TryReadPartHashes(input, new ulong[KeyedParts.Count]);
        Require(new HybridClock(_clock).Accepts(_engine.IndexOf(Policy.Drop)!.Time), "the clock was led astray");
        return $"{outcome} {areRecords} {isCrowded} {Math.Min(records.Count, 2)}";
    }

    private sealed class NoTransport : IPeerTransport
    {
        public void Post(PeerRequest request)
        {
        }

        public void AwaitReachable(PeerSettings peer, Action<bool> reachable)
        {
        }

        public void Forget(PeerSettings peer)
        {
        }
    }
}
