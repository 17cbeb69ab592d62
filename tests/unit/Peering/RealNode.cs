using System.Text;
using Couic.Names;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Store;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Couic.Tests.Peering;

/// <summary>A node as the daemon runs it, with its thread and sockets, over a model of the data plane.</summary>
internal sealed class RealNode : IAsyncDisposable
{
    public RealNode(params PeerSettings[] peers)
    {
        Store = new RuleStore(new ModelPlane(), StoreLimits.Default, TimeProvider.System);
        Service = new PeeringService(Store, TimeProvider.System, Log, "couic/test", Names);
        Service.Start(new PeeringSettings(true, [Policy.Drop], peers));
    }

    public RuleStore Store { get; }

    public HostResolver Names { get; } = new(TimeProvider.System, NullLogger.Instance);

    public PeeringService Service { get; }

    public Lines Log { get; } = new();

    public static PeerSettings Peer(int port, bool tls = false, string host = "127.0.0.1", string? caFile = null) =>
        new(host, port, tls, Guid.NewGuid(), caFile);

    public void Add(string cidr, string tag = "", ulong expiration = 0) => Store.Add(
        Policy.Drop, StoreRig.Net(cidr), Encoding.UTF8.GetBytes(tag), expiration, ConflictMode.Update, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);

    public void Remove(string cidr) => Store.Remove(Policy.Drop, StoreRig.Net(cidr), new ChangeContext(ChangeOrigin.Api, "t"u8), out _);

    public PeerStatus StatusOf(int port) => Service.Status().Single(status => status.Port == port);

    public async ValueTask DisposeAsync()
    {
        await Service.StopAsync(TimeSpan.Zero);
        Service.Dispose();
    }

    /// <summary>Waits for something that comes in its own time; a test that would wait for ever fails instead.</summary>
    public static async Task Eventually(Func<bool> holds, string what)
    {
        for (int i = 0; i < 1_500; i++)
        {
            if (holds())
            {
                return;
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"never: {what}");
    }

    public sealed class Lines : ILogger
    {
        private readonly Lock _gate = new();
        private readonly List<string> _lines = [];

        public string[] Warnings
        {
            get
            {
                lock (_gate)
                {
                    return [.. _lines];
                }
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_gate)
            {
                if (IsEnabled(logLevel))
                {
                    _lines.Add(formatter(state, exception));
                }
            }
        }
    }
}
