using System.Net;
using System.Net.Sockets;
using Couic.Http;
using Couic.Names;
using Microsoft.Extensions.Logging;

namespace Couic.Reporting.Receiver;

/// <summary>The receiver: listens, aggregates reports, and passes each interval's summary to every notifier.</summary>
internal sealed partial class ReceiverHost : IAsyncDisposable
{
    private const int Backlog = 128;

    /// <summary>A few nodes post, each over one connection.</summary>
    private const int MaxConnections = 256;

    private static readonly TimeSpan NotifyTimeout = TimeSpan.FromSeconds(10);

    private readonly ReceiverSettings _settings;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly SummaryWindow _window;
    private readonly HostResolver _names;
    private readonly HttpTransport _transport;
    private readonly List<Delivery> _deliveries = [];
    private readonly HttpServer _server;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly List<Task> _loops = [];

    public ReceiverHost(ReceiverSettings settings, string version, TimeProvider time, ILoggerFactory logs)
    {
        _settings = settings;
        _time = time;
        _log = logs.CreateLogger("report");
        _window = new SummaryWindow(settings.Name, settings.Thresholds, time);
        _names = new HostResolver(time, _log);
        _transport = new HttpTransport($"couic-report/{version}", NotifyTimeout, _names);
        foreach (INotifier notifier in Notifiers(settings))
        {
            _deliveries.Add(new Delivery(notifier, _transport, time, _log, Random.Shared));
        }

        var router = new Router();
        new ReportsEndpoint(settings.Secret, _window).Register(router);
        _server = new HttpServer(HttpLimits.Default with { MaxConnections = MaxConnections }, router, time, logs.CreateLogger("http"));
    }

    /// <summary>The address that it listens on; for port 0 with the kernel's port.</summary>
    public IPEndPoint? Address { get; private set; }

    /// <exception cref="IOException">The address is taken.</exception>
    public void Start()
    {
        var listener = new Socket(_settings.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(new IPEndPoint(_settings.Address, _settings.Port));
            listener.Listen(Backlog);
        }
        catch (SocketException e)
        {
            listener.Dispose();
            string hint = e.SocketErrorCode == SocketError.AddressAlreadyInUse ? "another program listens there (set another [server] port)" : e.SocketErrorCode.ToString();
            throw new IOException($"listen at {new IPEndPoint(_settings.Address, _settings.Port)}: {hint}", e);
        }

        Address = (IPEndPoint)listener.LocalEndPoint!;
        _server.Start(listener);
        _loops.Add(Task.Run(TickAsync));
        foreach (Delivery delivery in _deliveries)
        {
            _loops.Add(Task.Run(() => delivery.RunAsync(_abort.Token)));
        }

        if (_deliveries.Count == 0)
        {
            LogNoNotifier(_log);
        }

        LogStarted(_log, Address.ToString(), _settings.Interval.TotalSeconds);
    }

    /// <summary>Ends the interval early and delivers waiting summaries for at most <paramref name="limit"/>.</summary>
    public async Task StopAsync(TimeSpan limit)
    {
        long start = _time.GetTimestamp();
        await _server.StopAsync(limit / 4).ConfigureAwait(false);
        await _stop.CancelAsync().ConfigureAwait(false);
        EndInterval(isLast: true);
        while (_deliveries.Exists(d => d.Waiting > 0) && _time.GetElapsedTime(start) < limit)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), _time).ConfigureAwait(false);
        }

        await _abort.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(_loops).ConfigureAwait(false);
        int left = _deliveries.Sum(d => d.Waiting);
        if (left > 0)
        {
            LogLeft(_log, left);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stop.IsCancellationRequested)
        {
            await StopAsync(TimeSpan.Zero).ConfigureAwait(false);
        }

        _transport.Dispose();
        _names.Dispose();
        _stop.Dispose();
        _abort.Dispose();
    }

    private async Task TickAsync()
    {
        using var timer = new PeriodicTimer(_settings.Interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                EndInterval(isLast: false);
            }
        }
        catch (OperationCanceledException)
        {
            // stopped
        }
    }

    private void EndInterval(bool isLast)
    {
        Summary summary = _window.Take();
        if (summary.Colour < _settings.Thresholds.Min || (isLast && summary.Reports == 0))
        {
            return;
        }

        foreach (Delivery delivery in _deliveries)
        {
            delivery.Add(summary);
        }
    }

    private static IEnumerable<INotifier> Notifiers(ReceiverSettings settings)
    {
        if (settings.Discord is { } discord)
        {
            yield return new DiscordNotifier(discord);
        }

        if (settings.Slack is { } slack)
        {
            yield return new SlackNotifier(slack);
        }

        if (settings.Webhook is { } webhook)
        {
            yield return new WebhookNotifier(webhook);
        }
    }

    [LoggerMessage(EventName = "started", Level = LogLevel.Information, Message = "receiving reports at {address}, a summary every {seconds} s")]
    private static partial void LogStarted(ILogger log, string address, double seconds);

    [LoggerMessage(EventName = "no_notifier", Level = LogLevel.Warning,
        Message = "no notifier is configured ([discord], [slack] or [webhook]): summaries go nowhere")]
    private static partial void LogNoNotifier(ILogger log);

    [LoggerMessage(EventName = "summaries_left", Level = LogLevel.Warning, Message = "{count} summaries could not be delivered before the end")]
    private static partial void LogLeft(ILogger log, int count);
}
