using Couic.Bus;

namespace Couic.Tests.Peering.Simulator;

/// <summary>
/// The broker of a simulated bus: the last value of each key in the order of sequences. Publications arrive late, in another order, twice,
/// or not at all; acknowledgements get lost; the log may be deleted, and the broker may be away.
/// </summary>
internal sealed class SimBroker(SimWorld world)
{
    private static readonly DateTimeOffset Start = new(2031, 7, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Dictionary<string, BusMessage> _last = [];
    private readonly SortedDictionary<ulong, BusMessage> _bySequence = [];
    private readonly List<SimBus> _readers = [];
    private ulong _sequence;

    public bool IsUp { get; private set; } = true;

    /// <summary>Chance that a publication, or its acknowledgement, gets lost.</summary>
    public double Loss { get; set; }

    /// <summary>Chance that a publication arrives twice.</summary>
    public double Doubles { get; set; }

    /// <summary>Longest way in one direction, in seconds.</summary>
    public double MaxDelay { get; set; } = 0.02;

    public int Incarnation { get; private set; } = 1;

    public int Messages => _last.Count;

    /// <summary>The broker's clock: no node's.</summary>
    public DateTimeOffset Now => Start + TimeSpan.FromTicks(world.Now / 100);

    public BusLog State => new("broker", $"log {Incarnation}", _sequence, (ulong)_last.Count);

    public double Delay() => world.Uniform(0.0002, MaxDelay);

    public void Stop()
    {
        IsUp = false;
        foreach (SimBus reader in _readers.ToArray())
        {
            reader.Lose("the broker is away");
        }
    }

    public void Restart() => IsUp = true;

    public void Heal()
    {
        Restart();
        Loss = 0;
        Doubles = 0;
        MaxDelay = 0.02;
    }

    /// <summary>The stream is deleted; the first node that notices creates it again.</summary>
    public void DeleteLog()
    {
        Incarnation++;
        _last.Clear();
        _bySequence.Clear();
        _sequence = 0;
        foreach (SimBus reader in _readers.ToArray())
        {
            reader.Lose("the stream was deleted");
        }
    }

    public ulong Store(BusValue value)
    {
        if (_last.TryGetValue(value.Key, out BusMessage former))
        {
            _bySequence.Remove(former.Sequence);
        }

        var message = new BusMessage(value.Key, value.Value.ToArray(), ++_sequence, Now);
        _last[value.Key] = message;
        _bySequence[message.Sequence] = message;
        foreach (SimBus reader in _readers.ToArray())
        {
            reader.Wake();
        }

        return message.Sequence;
    }

    public void Delete(ulong sequence)
    {
        if (_bySequence.Remove(sequence, out BusMessage message))
        {
            _last.Remove(message.Key);
        }
    }

    public List<BusMessage> From(ulong sequence, int max) => [.. _bySequence.Values.Where(message => message.Sequence >= sequence).Take(max)];

    public ulong PendingFrom(ulong sequence) => (ulong)_bySequence.Keys.Count(stored => stored >= sequence);

    public void Join(SimBus reader) => _readers.Add(reader);

    public void Leave(SimBus reader) => _readers.Remove(reader);
}

/// <summary>The bus of one incarnation of a node.</summary>
internal sealed class SimBus(SimCluster cluster, SimNode owner, SimBroker broker) : IBus
{
    private const int MaxBatch = 64;

    private readonly int _incarnation = owner.Incarnation;
    private readonly SimWorld _world = cluster.World;
    private IBusClient? _client;
    private int _connection;
    private bool _isOpen;
    private bool _isDelivering;
    private ulong _next;

    public DateTimeOffset Now => broker.Now;

    private bool IsAlive => owner.IsUp && owner.Incarnation == _incarnation && !_isDisposed;

    private bool _isDisposed;

    public void Start(IBusClient client)
    {
        _client = client;
        _world.After(broker.Delay(), Connect);
    }

    public void Dispose()
    {
        _isDisposed = true;
        broker.Leave(this);
    }

    /// <summary>The connection breaks.</summary>
    public void Lose(string cause)
    {
        broker.Leave(this);
        _isOpen = false;
        int connection = ++_connection;
        _world.After(broker.Delay(), () =>
        {
            if (IsAlive && connection == _connection)
            {
                _client!.OnClosed(cause);
                _world.After(_world.Uniform(0.1, 0.5), Connect);
            }
        });
    }

    public void Reopen()
    {
        int connection = ++_connection;
        _isOpen = false;
        broker.Leave(this);
        _world.After(broker.Delay(), () =>
        {
            if (connection == _connection)
            {
                Connect();
            }
        });
    }

    public void Publish(IReadOnlyList<BusValue> values, Action<BusReceipts> done)
    {
        var sequences = new ulong[values.Count];
        bool isDone = false;
        void Finish(string? fault)
        {
            if (!isDone && IsAlive)
            {
                isDone = true;
                done(new BusReceipts([.. sequences], fault));
            }
        }

        bool wasOpen = _isOpen;
        int left = values.Count;
        for (int i = 0; i < values.Count; i++)
        {
            int index = i;
            bool isLost = !wasOpen || _world.Chance(broker.Loss), isUnacknowledged = _world.Chance(broker.Loss);
            int copies = isLost ? 0 : _world.Chance(broker.Doubles) ? 2 : 1;
            for (int copy = 0; copy < copies; copy++)
            {
                _world.After(copy == 0 ? broker.Delay() : _world.Uniform(0, 5), () =>
                {
                    if (!broker.IsUp)
                    {
                        return;
                    }

                    ulong sequence = broker.Store(values[index]);
                    if (!isUnacknowledged && !isDone)
                    {
                        _world.After(broker.Delay(), () =>
                        {
                            left -= sequences[index] == 0 ? 1 : 0;
                            sequences[index] = sequence;
                            if (left == 0)
                            {
                                Finish(null);
                            }
                        });
                    }
                });
            }
        }

        _world.After(wasOpen ? 5 : 0.001, () => Finish("no answer within 5 s"));
    }

    public void Delete(IReadOnlyList<ulong> sequences, Action<int> done) => _world.After(broker.Delay(), () =>
    {
        int deleted = 0;
        if (broker.IsUp && _isOpen)
        {
            sequences.ToList().ForEach(broker.Delete);
            deleted = sequences.Count;
        }

        if (IsAlive)
        {
            done(deleted);
        }
    });

    /// <summary>Something may have to be delivered.</summary>
    public void Wake()
    {
        if (_isDelivering || !_isOpen || !IsAlive)
        {
            return;
        }

        _isDelivering = true;
        int connection = _connection;
        _world.After(broker.Delay(), () =>
        {
            _isDelivering = false;
            if (connection == _connection)
            {
                Deliver();
            }
        });
    }

    private void Deliver()
    {
        if (!IsAlive || !_isOpen)
        {
            return;
        }

        List<BusMessage> messages = broker.From(_next, MaxBatch);
        if (messages.Count == 0)
        {
            return;
        }

        _next = messages[^1].Sequence + 1;
        messages.ForEach(message => SimCluster.OnBus(owner, message));
        _client!.OnMessages(messages, broker.PendingFrom(_next));
        Wake();
    }

    private void Connect()
    {
        if (!IsAlive || _isOpen)
        {
            return;
        }

        if (!broker.IsUp || !cluster.Network.IsConnected(owner.Number, SimCluster.BrokerNumber))
        {
            _client!.OnClosed("connection refused");
            _world.After(0.25, Connect);
            return;
        }

        _isOpen = true;
        _isDelivering = false;
        int connection = ++_connection;
        broker.Join(this);
        _next = _client!.OnOpened(broker.State);
        ulong pending = broker.PendingFrom(_next);
        _client.OnMessages([], pending);
        Wake();
        Poll(connection);
    }

    private void Poll(int connection) => _world.After(10, () =>
    {
        if (!IsAlive || connection != _connection)
        {
            return;
        }

        if (!cluster.Network.IsConnected(owner.Number, SimCluster.BrokerNumber))
        {
            Lose("the connection was lost");
            return;
        }

        _client!.OnPolled(broker.State, broker.PendingFrom(_next));
        Poll(connection);
    });
}
