using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Couic.Bus;
using Couic.Logging.Abstractions;
using Couic.Names;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Peering;

/// <summary>
/// The daemon's interface to peering. It subscribes to the store when it is created, so create it before the first change. All
/// members are thread-safe.
/// </summary>
public sealed class PeeringService : IDisposable
{
    /// <summary>The answer to a hello while peering is not configured: it distinguishes a couic 2 from a couic 1.x.</summary>
    public const string OffMessage = "peering is off on this node ([peering] enabled in its configuration)";

    private readonly HttpPeerTransport _transport;
    private readonly PeeringEngine _engine;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly ManualResetEventSlim _stop = new();
    private Thread? _thread;

    /// <param name="product">The <c>User-Agent</c>, such as <c>couic/2.0.0</c>.</param>
    /// <param name="names">Resolves host names of peers.</param>
    public PeeringService(RuleStore store, TimeProvider time, ILogger log, string product, HostResolver names)
    {
        _log = log;
        _time = time;
        _transport = new HttpPeerTransport(product, names, log);
        Span<byte> drawn = stackalloc byte[16];
        RandomNumberGenerator.Fill(drawn);
        _engine = new PeeringEngine(
            store, _transport, time, Random.Shared, log, BitConverter.ToUInt64(drawn), Math.Max(1, BitConverter.ToUInt64(drawn[8..])),
            bus => new NatsBus(bus, names, product, time, log));
    }

    public PeeringSettings Settings => _engine.Settings;

    /// <summary>For the journal, which follows and restores the registers.</summary>
    internal PeeringEngine Engine => _engine;

    /// <summary>Starts the flush timer: one thread for all peers.</summary>
    public void Start(PeeringSettings settings)
    {
        _engine.Reconfigure(settings);
        _thread = new Thread(Run) { IsBackground = true, Name = "peering" };
        _thread.Start();
    }

    /// <summary>Applies new settings; peers that stay the same keep their queues.</summary>
    public void Reconfigure(PeeringSettings settings) => _engine.Reconfigure(settings);

    /// <summary>Flushes the queues of reachable peers within the grace period, then stops.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        _stop.Set();
        _thread?.Join(grace);
        long start = _time.GetTimestamp();
        while (_time.GetElapsedTime(start) < grace
            && (_engine.Bus?.Status() is { Marked: > 0, State: BusState.Live }
                || _engine.Sessions.Any(session => session.Status() is { Queued: > 0, State: PeerState.Up })))
        {
            _engine.Tick();
            await Task.Delay(TimeSpan.FromMilliseconds(20)).ConfigureAwait(false);
        }

        _engine.Reconfigure(PeeringSettings.Off);
    }

    /// <summary>The state of each configured peer, in configuration order.</summary>
    public IReadOnlyList<PeerStatus> Status() => [.. _engine.Sessions.Select(session => session.Status())];

    /// <summary>The state of the bus; null without one.</summary>
    public BusStatus? BusStatus() => _engine.Bus?.Status();

    /// <summary>Register counts of one policy; null when it is not replicated.</summary>
    public RecordCounts? Records(Policy policy) => _engine.IndexOf(policy)?.Counts;

    /// <summary>Batches, hellos and records refused because their versions were too far ahead.</summary>
    public long ClockRefusals => _engine.ClockRefusals;

    /// <summary>Whether a peer may send changes of a policy.</summary>
    public bool Takes(Policy policy) => Settings.Policies.Contains(policy);

    /// <summary>Whether peers are compared in this policy.</summary>
    public bool Travels(Policy policy) => Settings.Enabled && _engine.IndexOf(policy) is not null;

    /// <summary>Applies a batch of jobs; a refused job does not stop the others.</summary>
    /// <param name="client">Name of the client that sent it.</param>
    public ApplyCounts Apply(Policy policy, IncomingBatch batch, string client)
    {
        BatchRun run = Begin(policy, batch, client);
        run.Run(Timeout.InfiniteTimeSpan);
        return run.Counts;
    }

    /// <summary>As <see cref="Apply"/>, in slices of time.</summary>
    public BatchRun Begin(Policy policy, IncomingBatch batch, string client) => new(_engine, _log, policy, batch, client);

    /// <summary>Why a whole batch is refused; null where it is acceptable.</summary>
    /// <param name="client">Name of the client that sent it.</param>
    public string? Objection(Policy policy, IncomingBatch batch, string client)
    {
        string? objection = _engine.ClockObjection(policy, batch);
        if (objection is not null)
        {
            _engine.Refused(client, objection);
        }

        return objection;
    }

    /// <summary>Answers <c>POST /v1/{policy}/peer/sync</c>.</summary>
    /// <param name="client">Name of the client that asks.</param>
    public SyncOutcome ServeSync(Policy policy, ReadOnlySpan<byte> body, IBufferWriter<byte> answer, string client) =>
        _engine.ServeSync(policy, body, answer, client);

    /// <summary>Whether a peer of that name is configured.</summary>
    public bool Knows(string host) => Find(host) is not null;

    /// <summary>Lists the rules on which this node and a peer differ; changes nothing.</summary>
    /// <returns>Null when no peer of that name is configured.</returns>
    public Task<PeerDifferences>? CompareAsync(string host, int limit) =>
        Find(host) is { } session ? new DifferenceFinder(_engine, _transport, session.Settings).RunAsync(limit) : null;

    private PeerSession? Find(string host) =>
        _engine.Sessions.FirstOrDefault(session => session.Settings.Host == host || session.Settings.ToString() == host);

    public void Dispose()
    {
        _stop.Set();
        _transport.Dispose();
    }

    private void Run()
    {
        long next = _time.GetTimestamp();
        while (true)
        {
            // Absolute deadlines: the duration of a tick does not add to the interval.
            next += (long)(PeeringEngine.FlushInterval.TotalSeconds * _time.TimestampFrequency);
            next = Math.Max(next, _time.GetTimestamp());
            if (_stop.Wait(_time.GetElapsedTime(_time.GetTimestamp(), next)))
            {
                return;
            }

            InternalErrors.Run(Place.PeeringTick, _log, _engine.Tick);
        }
    }
}

/// <summary>A peer's batch that is applied in slices of time.</summary>
public sealed class BatchRun
{
    private readonly PeeringEngine _engine;
    private readonly ILogger _log;
    private readonly Policy _policy;
    private readonly IncomingBatch _batch;
    private readonly string _client;
    private readonly byte[] _creator;
    private int _done;

    internal BatchRun(PeeringEngine engine, ILogger log, Policy policy, IncomingBatch batch, string client)
    {
        _engine = engine;
        _log = log;
        _policy = policy;
        _batch = batch;
        _client = client;
        _creator = Encoding.UTF8.GetBytes(client);
    }

    public ApplyCounts Counts { get; } = new();

    /// <summary>Applies jobs until all are done or the time limit is reached.</summary>
    /// <returns>Whether all are done.</returns>
    public bool Run(TimeSpan limit)
    {
        if (_done < _batch.Jobs.Count)
        {
            _done = _engine.ApplyJobs(_policy, _batch, _done, limit, _creator, Counts);
        }

        bool isDone = _done == _batch.Jobs.Count;
        if (isDone)
        {
            PeeringLog.Batch(
                _log, _client, _policy.Name(), _batch.Jobs.Count, Counts.Applied, Counts.Stale, Counts.OwnedBySet, Counts.Refused + Counts.TableFull);
        }

        return isDone;
    }
}
