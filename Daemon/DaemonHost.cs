using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Couic.Api;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Api.Endpoints;
using Couic.Api.Events;
using Couic.Bpf;
using Couic.Cli;
using Couic.CommandLine;
using Couic.Config;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Journal;
using Couic.Logging;
using Couic.Logging.Abstractions;
using Couic.Names;
using Couic.Native;
using Couic.Peering;
using Couic.Reporting;
using Couic.Sets;
using Couic.Store;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The unprivileged daemon: connects the parts, fills the tables, has the filter attached and serves until it is stopped. A start that
/// fails attaches nothing, and leaves the filter of an earlier process as it was.
/// </summary>
internal sealed partial class DaemonHost : IDisposable
{
    /// <summary>How long requests, peers and reports may take to finish after a stop signal.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(2);

    /// <summary>The limit of a stop step that is stuck. All steps must fit in TimeoutStopSec of the unit.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(4);

    /// <summary>Connections waiting to be accepted; the kernel's limit (somaxconn) may be lower.</summary>
    private const int Backlog = 4096;

    /// <summary>How long the start waits for the service manager to take the links.</summary>
    private static readonly TimeSpan StoreLimit = TimeSpan.FromSeconds(2);

    /// <summary>The limit of the first attachment: drivers that reset their card take seconds.</summary>
    private static readonly TimeSpan AttachLimit = TimeSpan.FromSeconds(30);

    private readonly Settings _settings;
    private readonly Handover _handover;
    private readonly Socket[] _sockets;
    private volatile bool _isReady, _isInterrupted;
    private TimeSpan? _handoverTook;
    private readonly AttacherChannel _attacher;
    private readonly DescriptorStore _descriptors;
    private readonly InterfaceWatch _watch;
    private readonly LogFactory _logs;
    private readonly ILogger _log;
    private readonly BpfDataPlane _plane;
    private readonly RuleStore _store;
    private readonly DriftTimer _drift;
    private readonly SetLoader _sets;
    private readonly HostResolver _names;
    private readonly ReportSender _reports;
    private readonly RuleJournal? _journal;
    private readonly PeeringService _peering;
    private readonly Reloader _reloader;
    private readonly Health _health;
    private readonly ProtectedAddresses _guard;
    private readonly HttpServer _server;
    private readonly CertificateKeeper _certificate;
    private readonly CoalescedRuns _signalledReload;
    private readonly SystemdNotify _systemd = new();
    private readonly EventHub _events;
    private readonly ObservedStates _interfaceStates = new();
    private readonly ObservedStates _peerStates = new();
    private bool _isKept;
    private readonly ManualResetEventSlim _stop = new();

    /// <summary>Never disposed: a second signal must not interrupt the stop.</summary>
    private readonly List<PosixSignalRegistration> _signals = [];

    internal DaemonHost(Handover handover, Settings settings, byte[] text)
    {
        _handover = handover;
        _settings = settings;
        _sockets = [.. handover.Network.Prepend(handover.Socket).Select(number => new Socket(new SafeSocketHandle(number, ownsHandle: true)))];
        _logs = new LogFactory(settings.Logging);
        _log = _logs.CreateLogger("couic");
        ILogger attachLog = _logs.CreateLogger("attach");
        _attacher = new AttacherChannel(
            new MessageChannel(new SafeFileHandle(handover.Attacher, ownsHandle: true)), BatchClock.Instance, KeptLinks(handover.Links));
        _descriptors = new DescriptorStore(_systemd, handover.Links.Select(link => link.Name.ToString()), attachLog);
        AttacherSource? source = AttacherService.Address is { } address && handover.Programs.Length > 0
            ? new AttacherSource(address, handover.Programs, attachLog)
            : null;
        _watch = new InterfaceWatch(_attacher, source, settings.Ifaces, attachLog, ShowInterfaces);
        _plane = BpfDataPlane.FromDescriptors(handover.Plane, BatchClock.Instance);
        _store = new RuleStore(_plane, _plane.Limits, BatchClock.Instance);
        _store.Guard.Mode = SettingsMap.Guard(settings.Guard);
        _drift = new DriftTimer(_store, _plane, BatchClock.Instance, _logs.CreateLogger("store"));
        ClientDirectory clients = OpenClients(out IReadOnlyList<string> clientFaults);
        var files = new SetDirectory(Path.Combine(settings.WorkingDir, "sets"), FileOwner.Current, settings.Sets);
        files.RemoveLeftovers();
        _sets = new SetLoader(files, _store, BatchClock.Instance, _logs.CreateLogger("sets"));
        _certificate = new CertificateKeeper(ReadCertificate(settings), BatchClock.Instance, _logs.CreateLogger("tls"));
        _names = new HostResolver(BatchClock.Instance, _logs.CreateLogger("names"));
        _reports = new ReportSender(ProductVersion.Text, BatchClock.Instance, _logs.CreateLogger("reporting"), _names);
        _reports.Configure(settings.Reporting.Enabled ? settings.Reporting.Webhook : null);
        _store.Subscribe(_reports);
        _peering = new PeeringService(_store, BatchClock.Instance, _logs.CreateLogger("peering"), $"couic/{ProductVersion.Text}", _names);
        if (settings.State.Dynamic == DynamicRules.Kept)
        {
            var folder = new JournalFolder(WorkingFolder.State(settings.WorkingDir), FileOwner.Current);
            _journal = new RuleJournal(_store, folder, _peering.Engine, BatchClock.Instance, _logs.CreateLogger("journal"), (ulong)Random.Shared.NextInt64());
        }

        _reloader = new Reloader(handover.ConfigPath, text, settings, clients, clientFaults, _sets, _logs, _reports, _peering, _store.Guard)
        {
            Prepare = (read, faults) => _certificate.Read(read, faults) is var taken ? () =>
            {
                _server!.Allowed = read.Allow;
                taken?.Invoke(_server);
            }
            : null,
        };
        _health = new Health(_attacher, _store, _sets, _reloader, _peering, _drift, _journal, () => _guard!.Status, _certificate);
        _guard = new ProtectedAddresses(_store, () => _reloader.InForce, _names, _logs.CreateLogger("guard"));
        _signalledReload = new CoalescedRuns(() => InternalErrors.Run(Place.Signal, _log, ReloadForSignal));
        var services = new ApiServices(_store, clients, _plane, BatchClock.Instance, _logs)
        {
            Limits = settings.Http,
            SetFiles = files,
            Sets = _sets,
            Facts = () => new StatusFacts(
                SettingsMap.MatchWords(_settings), SettingsMap.Interfaces(_attacher.States, _attacher.Since), DaemonMetrics.SummarizePeers(_peering), _drift.Status,
                _attacher.IsLost ? "lost" : "running", _guard.Status, SettingsMap.Reload(_reloader.Last), _health.Find, _certificate.Status,
                _journal is null ? null : DaemonMetrics.SummarizeJournal(_journal), Restart()),
            Reload = (actor, stance, requester) => Task.FromResult(ReloadNow(actor, stance, requester)),
        };
        _events = services.Events;
        _events.Observe = isFirst => _peerStates.Compare(
            _peering.Status().Select(peer => ($"{peer.Host}:{peer.Port}", peer.State.ToString().ToLowerInvariant(), peer.LastError)),
            isFirst,
            (name, state, error) => _events.StateChanged(EventType.Peer, name, state, state == "up" ? null : error));
        _reloader.ClientsReloaded = ReportClients;
        services.MoreMetrics.Add(text => DaemonMetrics.WriteEvents(text, _events));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteHealth(text, _health, _reloader, _sets));
        services.MoreMetrics.Add(text => DaemonMetrics.WritePlane(text, _plane));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteRestart(text, Restart(), _descriptors.Count));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteInterfaces(text, _attacher, settings.OperationMode));
        services.MoreMetrics.Add(DaemonMetrics.WriteErrors);
        services.MoreMetrics.Add(text => DaemonMetrics.WriteLog(text, _logs));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteReports(text, _reports));
        services.MoreMetrics.Add(text => DaemonMetrics.WritePeers(text, _peering));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteBus(text, _peering));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteGuard(text, _guard));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteTls(text, _certificate, _server!));
        services.MoreMetrics.Add(text => DaemonMetrics.WriteJournal(text, _journal));
        ApiRouter router = ApiRouter.Create(services);
        new PeerEndpoints(_peering, services).Register(router);
        new BusEndpoint(_peering).Register(router);
        new HistoryEndpoint(() => _reloader.InForce.Logging.Dir).Register(router);
        if (settings.Page)
        {
            PageEndpoint.Register(router);
        }

        _server = new HttpServer(services.Limits, router, services.Time, services.Log, services.Counters) { Allowed = settings.Allow, Tls = _certificate.Current?.Context };
    }

    /// <exception cref="StartException">The start failed.</exception>
    public static int Run(Handover handover)
    {
        Prctl.SetThreadName("couic"u8); // executed as /proc/self/exe it would be called "exe"
        Errno sandbox = Sandbox.Enter(Sandbox.Daemon);
        foreach (int descriptor in (ReadOnlySpan<int>)[
            handover.Socket, handover.Attacher, handover.Config, handover.Lock, handover.SocketLock, .. handover.Programs, .. handover.Network,
            .. handover.Links.Select(link => link.Number)])
        {
            Descriptors.SetInherited(descriptor, false);
        }

        Environment.SetEnvironmentVariable(Handover.Variable, null);
        Settings settings = ReadSettings(handover, out byte[] text);
        ThreadBudget.Apply();
        ulong? socket = ApiSocket.Find(settings.Socket);
        try
        {
            using var host = new DaemonHost(handover, settings, text);
            if (sandbox != Errno.None)
            {
                host.NotSandboxed(sandbox.Text());
            }

            host.Start();
            return host.WaitForStop() ? 0 : 1;
        }
        finally
        {
            ApiSocket.Remove(settings.Socket, socket);
        }
    }

    /// <summary>
    /// Each step is limited in time. The data plane stays open: an abandoned handler may still use it, and the kernel closes it with the
    /// process.
    /// </summary>
    public void Dispose()
    {
        _systemd.Stopping();
        long start = Stopwatch.GetTimestamp();
        Step(() => _server.StopAsync(StopGrace).Wait(StopLimit));
        Step(_events.Dispose);

        // Before peering ends: its registers are a part of what is kept.
        Step(() => _isKept = _journal?.Stop(StopLimit) == true);
        TimeSpan left = StopGrace - Stopwatch.GetElapsedTime(start);
        left = left > TimeSpan.Zero ? left : TimeSpan.Zero;
        Step(() => Task.WaitAll([_peering.StopAsync(left), _reports.StopAsync(left)], left + StopLimit));
        Step(_peering.Dispose);
        Step(_guard.Dispose);
        Step(_certificate.Dispose);
        Step(() => _reports.DisposeAsync().AsTask().Wait(StopLimit));
        Step(_names.Dispose);
        Step(_watch.Dispose);
        if (_isInterrupted)
        {
            Step(_attacher.DetachAll);
        }

        Step(() => Task.Run(_attacher.Dispose).Wait(StopLimit));
        Step(_drift.Dispose);
        Step(WarnOfLostEntries);
        _logs.Dispose();
        _systemd.Dispose();
    }

    /// <summary>The rules; usable until the process ends.</summary>
    internal RuleStore Store => _store;

    private void Step(Action end) => InternalErrors.Run(Place.Stop, _log, end);

    /// <summary>Entries added through the API or by peers are kept in memory only, unless there is a journal that is whole.</summary>
    private void WarnOfLostEntries()
    {
        foreach (Policy policy in Policies.All)
        {
            int count = _store.Tags(policy).Where(use => !TagRule.IsSetTag(Encoding.UTF8.GetBytes(use.Tag))).Sum(use => use.Entries);
            if (count > 0 && _isKept)
            {
                AreKept(count, policy.Name());
            }
            else if (count > 0 && _journal is { } journal)
            {
                NotKept(count, policy.Name(), journal.Fault ?? "the disk did not answer in time");
            }
            else if (count > 0)
            {
                Forgotten(count, policy.Name());
            }
        }
    }

    internal void Start()
    {
        AppDomain.CurrentDomain.UnhandledException += OnUnhandled;
        TaskScheduler.UnobservedTaskException += OnUnobserved;

        // Before the daemon is reachable: an early signal must find its handler.
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, Reload));

        // From here, connections wait for the server instead of being refused.
        Array.ForEach(_sockets, socket => socket.Listen(Backlog));
        _guard.Start(); // before the sets are loaded, so that it objects to entries that lock out
        _sets.Start();
        _peering.Reconfigure(SettingsMap.Replication(_settings));
        InternalErrors.Run(Place.Journal, _log, () => _journal?.Restore()); // before the first packet, and before the first change
        AttachInterfaces();
        if (_systemd.StoreCapacity > 0)
        {
            _watch.KeepLinks(_descriptors, StoreLimit);
        }

        ReportHandover();
        _server.Start(_sockets);
        _reports.Start();
        _peering.Start(SettingsMap.Replication(_settings));
        _reloader.WarnOfClearTokens(_settings);
        _journal?.Start();
        _drift.Start();
        _certificate.Start();
        _systemd.Ready(StatusLine);
        _isReady = true;
        Started(string.Join(", ", _settings.Listen.Select(address => address.ToString()).Prepend(_settings.Socket)));
        if (_handover.ConfigPath != SettingsSource.EmbeddedName && SecretFile.Warning(_handover.ConfigPath, _settings) is { } warning)
        {
            SecretsReadable(warning);
        }
    }

    /// <summary>Attaches to the interfaces that exist; to the others when they appear, unless the configuration requires all.</summary>
    private void AttachInterfaces()
    {
        bool answered = _watch.Start(AttachLimit);
        if (_attacher.IsLost)
        {
            throw new StartException("attach xdp program: the attacher process has ended (see the messages above)");
        }

        if (!_settings.RequireIfaces)
        {
            return;
        }

        if (!answered)
        {
            throw new StartException($"attach xdp program: no answer of the attacher process within {AttachLimit.TotalSeconds} s");
        }

        if (_attacher.States.FirstOrDefault(s => !s.IsAttached) is { } failed)
        {
            throw new StartException($"attach xdp program to \"{failed.Configured}\": {InterfaceSummary.Cause(failed)} (require_ifaces = true)");
        }
    }

    private RestartStatus Restart() => new(
        _systemd.StoreCapacity > 0 ? "stored" : _settings.Pin is not null ? "pinned" : "detached", _journal is null ? "volatile" : "kept", _handoverTook?.TotalSeconds);

    private void ReportHandover()
    {
        if (Restart().Filter == "detached")
        {
            FilterNotKept();
        }

        int taken = _attacher.States.Count(state => state.IsTakenOver);
        if (taken > 0)
        {
            _handoverTook = Stopwatch.GetElapsedTime(_handover.StartedAt);
            HandedOver(taken, (int)_handoverTook.Value.TotalMilliseconds);
        }
    }

    /// <summary>The links of an earlier process. One that is not what its name says, or whose interface is gone, is closed.</summary>
    private static List<HeldLink> KeptLinks((int Number, LinkName Name)[] links)
    {
        var kept = new List<HeldLink>();
        foreach ((int number, LinkName name) in links)
        {
            var handle = new SafeFileHandle(number, ownsHandle: true);
            if (HeldLink.Of(handle, name.Since) is { Interface: not 0 } link && link.Name == name)
            {
                kept.Add(link);
            }
            else
            {
                handle.Dispose();
            }
        }

        return kept;
    }

    /// <summary>False when it can no longer serve and must be restarted.</summary>
    internal bool WaitForStop()
    {
        using var expiry = new ExpiryTimer(_store, _logs.CreateLogger("store"));
        using var compactor = new HeapCompactor(_server, _log);
        using var watchdog = new Watchdog(_systemd, _log, () => expiry.SinceLastRun, () => _server.SinceLastIteration);
        while (!_stop.Wait(TimeSpan.FromSeconds(1)))
        {
            if (_server.HasEnded)
            {
                ApiEnded();
                return false;
            }
        }

        return true;
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = true;
        InternalErrors.Run(Place.Signal, _log, () => Stopping(context.Signal.ToString()));
        _isInterrupted = context.Signal == PosixSignal.SIGINT;
        _stop.Set();
    }

    private void Reload(PosixSignalContext context)
    {
        context.Cancel = true;
        _signalledReload.Request();
    }

    /// <summary>The runtime then ends the process; systemd restarts it.</summary>
    private void OnUnhandled(object sender, UnhandledExceptionEventArgs e)
    {
        InternalErrors.Caught(Place.Unhandled);
        Unhandled(e.ExceptionObject as Exception);
        _logs.Dispose();
    }

    private void OnUnobserved(object? sender, UnobservedTaskExceptionEventArgs e)
    {
        InternalErrors.Caught(Place.UnobservedTask, _log, e.Exception);
        e.SetObserved();
    }

    private void ReloadForSignal()
    {
        _systemd.Reloading();
        ReloadNow("SIGHUP", LockoutStance.Default, []);
        _systemd.Ready(StatusLine);
    }

    private ReloadResult ReloadNow(string actor, LockoutStance stance, IReadOnlyList<ProtectedAddress> requester)
    {
        ReloadResult result = _reloader.Reload(actor, stance, requester);
        _guard.RefreshSoon();
        _drift.RunNow();
        return result;
    }

    private string StatusLine => InterfaceSummary.Line(_attacher.States, _attacher.IsLost);

    /// <summary>The message that reports readiness contains the first line.</summary>
    private void ShowInterfaces()
    {
        _interfaceStates.Compare(
            _attacher.States.Select(one => (InterfaceSummary.Name(one), one.State.ToString().ToLowerInvariant(), (string?)one.Error)),
            isFirst: !_isReady,
            (name, state, error) => _events.StateChanged(EventType.Interface, name, state, error));
        if (_isReady)
        {
            _systemd.Status(StatusLine);
        }
    }

    private void ReportClients(string actor, ClientReload reload)
    {
        foreach (string name in reload.Ended.Except(reload.Taken))
        {
            _events.ClientChanged(EventAction.Deleted, name, group: null, actor, EventCause.Reload);
        }

        foreach (string name in reload.Taken)
        {
            _events.ClientChanged(EventAction.Updated, name, group: null, actor, EventCause.Reload);
        }
    }

    private static Settings ReadSettings(Handover handover, out byte[] text)
    {
        using var file = new SafeFileHandle(handover.Config, ownsHandle: true);
        text = new byte[RandomAccess.GetLength(file)];
        RandomAccess.Read(file, text, 0);
        var faults = new List<Fault>();
        return SettingsReader.Read(handover.ConfigPath, text, faults, checkHost: false)
            ?? throw new StartException(faults[0].ToString());
    }

    /// <exception cref="StartException">A file of [server.tls] is not good.</exception>
    private static ServerCertificate? ReadCertificate(Settings settings)
    {
        if (settings is not { Tls: { } tls, Listen.Count: > 0 })
        {
            return null;
        }

        var faults = new List<string>();
        return ServerCertificate.Load(tls, FileOwner.Current, faults) ?? throw new StartException(string.Join("\ncouic: ", faults));
    }

    private ClientDirectory OpenClients(out IReadOnlyList<string> left)
    {
        ClientDirectory clients = ClientFiles.Open(
            WorkingFolder.Clients(_settings.WorkingDir), FileOwner.Current, out IReadOnlyList<Fault> faults);
        left = [.. faults.Select(fault => $"client left out at the start: {fault} (mend that, then: couicctl reload)")];
        foreach (Fault fault in faults)
        {
            ClientLeftOut(fault.ToString());
        }

        return clients;
    }

    [LoggerMessage(EventName = "started", Level = LogLevel.Information, Message = "serving the API at {Socket}")]
    private partial void Started(string socket);

    [LoggerMessage(EventName = "filter_not_kept", Level = LogLevel.Information,
        Message = "a restart leaves the interfaces unfiltered until it is complete: neither the service manager nor [daemon] pin keeps the filter")]
    private partial void FilterNotKept();

    [LoggerMessage(EventName = "handed_over", Level = LogLevel.Information,
        Message = "interfaces taken over without a gap: {Count}, {Milliseconds} ms after the start")]
    private partial void HandedOver(int count, int milliseconds);

    [LoggerMessage(EventName = "not_sandboxed", Level = LogLevel.Warning,
        Message = "the kernel rejects the seccomp filter: {Cause} (system calls are not limited; everything else works)")]
    private partial void NotSandboxed(string cause);

    [LoggerMessage(EventName = "stopping", Level = LogLevel.Information, Message = "stopping after {Signal}")]
    private partial void Stopping(string signal);

    [LoggerMessage(EventName = "entries_forgotten", Level = LogLevel.Warning,
        Message = "{Count} dynamic entries of {Policy} are forgotten: they were in memory only ([state] dynamic = \"kept\" keeps them)")]
    private partial void Forgotten(int count, string policy);

    [LoggerMessage(EventName = "entries_kept", Level = LogLevel.Information, Message = "{Count} dynamic entries of {Policy} are kept in the journal")]
    private partial void AreKept(int count, string policy);

    [LoggerMessage(EventName = "entries_not_kept", Level = LogLevel.Error,
        Message = "{Count} dynamic entries of {Policy}: the journal does not have their last changes: {Fault}")]
    private partial void NotKept(int count, string policy, string fault);

    [LoggerMessage(EventName = "unhandled_exception", Level = LogLevel.Critical, Message = "unhandled exception: couic ends, to be started again")]
    private partial void Unhandled(Exception? cause);

    [LoggerMessage(EventName = "api_ended", Level = LogLevel.Critical, Message = "the event loop of the API has ended: couic ends, to be started again")]
    private partial void ApiEnded();

    [LoggerMessage(EventName = "secrets_readable", Level = LogLevel.Warning, Message = "{Warning}")]
    private partial void SecretsReadable(string warning);

    [LoggerMessage(EventName = "client_left_out", Level = LogLevel.Error, Message = "client left out: {Fault}")]
    private partial void ClientLeftOut(string fault);
}

/// <summary>
/// Limits the daemon's threads. The unit sets TasksMax=64: if the kernel refuses a pool thread, .NET throws where no code can catch it, and
/// the process ends.
/// </summary>
internal static class ThreadBudget
{
    /// <summary>
    /// Besides the pool's run 8 of ours (main, api, tls, log, expiry, peering, drift, interfaces), 4 of the resolver and some 8 of .NET
    /// Besides the pool's run 8 of ours (main, api, log, expiry, peering, drift, journal, interfaces), 4 of the resolver and some 8 of .NET
    /// (collector, finalizer, timers, signals, sockets, the pool's own): 36 in all, about half of TasksMax.
    /// </summary>
    public const int MaxPoolThreads = 16;

    /// <summary>Pool threads that start without delay. The default, one per processor, may exceed the maximum.</summary>
    private const int MaxReadyThreads = 8;

    public static void Apply()
    {
        int ready = Math.Min(Environment.ProcessorCount, MaxReadyThreads);
        ThreadPool.SetMinThreads(ready, ready);
        ThreadPool.SetMaxThreads(MaxPoolThreads, MaxPoolThreads);
    }
}
