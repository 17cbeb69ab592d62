using Couic.Http.Parsing;
using Couic.Logging.Abstractions;

namespace Couic.Http;

internal sealed partial class HttpConnection
{
    private long _streamLeft;

    /// <summary>
    /// Leaves the present request to the group, if nothing about it is out of the ordinary: the next ones may be read before its
    /// answer is there. Else what those before it have left is done.
    /// </summary>
    public bool TryDefer(IGroupWork work)
    {
        if (IsOffLoop || !_body.IsComplete || !Head.KeepAlive || Head.IsHttp10 || _holdsLargeBody || _server.IsStopping || !_server.IsOnLoop)
        {
            Settle();
            return false;
        }

        _server.Defer(work);
        _deferred++;
        return true;
    }

    /// <summary>Takes the answer to a request that was deferred; they come in the order of the requests.</summary>
    public void TakeDeferred(Exchange exchange)
    {
        _deferred--;
        WriteHead(exchange, exchange.AnswerBody.Length, closes: false, isHttp10: false);
        _out.Append(exchange.AnswerBody.Written);
        Count(exchange);
    }

    /// <summary>Has all answers written that come before whatever is next.</summary>
    private void Settle()
    {
        if (_deferred > 0)
        {
            _server.RunWork();
        }
    }

    /// <summary>Has what any connection of the group has deferred done; elsewhere than on the loop there is nothing.</summary>
    public void SettleGroup()
    {
        if (_server.IsOnLoop)
        {
            _server.RunWork();
        }
    }

    /// <summary>Handles the request in the head. False: the connection ends behind its answer.</summary>
    private ValueTask<bool> HandleAsync()
    {
        Volatile.Write(ref _deadline, long.MaxValue);
        _isOld = true;
        _isHeadTimed = _sentContinue = IsOffLoop = false;
        _bodyStart = _bodyReceived = _streamLeft = 0;
        Input.BeginBody(Head.Length);
        _body.Begin(Head);
        Exchange exchange = _exchange ??= new Exchange(this);
        exchange.Begin();
        try
        {
            InternalErrors.Enter(Place.ApiRequest);
            Endpoint? endpoint = exchange.Check(_server.Router);
            if (endpoint is { Defers: false })
            {
                Settle(); // it may look at what the requests before it change
            }

            ValueTask handling = endpoint is null ? default
                : endpoint.IgnoresBody && !_body.IsComplete ? HandleArrivedAsync(endpoint, exchange)
                : endpoint.Handler(exchange);
            if (!handling.IsCompletedSuccessfully)
            {
                return AwaitHandlerAsync(handling, exchange);
            }
        }
        catch (Exception e)
        {
            Fail(exchange, e);
        }

        return FinishAsync(exchange);
    }

    /// <summary>A request whose body has not ended has not arrived: nothing is done for it before.</summary>
    private static async ValueTask HandleArrivedAsync(Endpoint endpoint, Exchange exchange)
    {
        if (await exchange.SkipBodyAsync())
        {
            await endpoint.Handler(exchange);
        }
    }

    private async ValueTask<bool> AwaitHandlerAsync(ValueTask handling, Exchange exchange)
    {
        try
        {
            await handling;
        }
        catch (Exception e)
        {
            Fail(exchange, e);
        }

        return await FinishAsync(exchange);
    }

    /// <summary>A bug in one request answers 500 to it and ends nothing else.</summary>
    public void Fail(Exchange exchange, Exception e)
    {
        InternalErrors.Caught(Place.ApiRequest);
        HttpLog.RequestFailed(_server.Log, exchange.Route?.Pattern ?? string.Empty, e);
        if (!exchange.IsStreamed)
        {
            exchange.FailInternally();
        }
    }

    private ValueTask<bool> FinishAsync(Exchange exchange)
    {
        if (exchange.IsDeferred)
        {
            return new ValueTask<bool>(NextRequest());
        }

        if (exchange.Status == 0)
        {
            Fail(exchange, new InvalidOperationException("the handler left no answer"));
        }

        bool closes = Conclude(exchange);
        if (_holdsLargeBody)
        {
            _holdsLargeBody = false;
            LetGo();
        }

        LeaveWork();
        exchange.Trim();
        if (closes || _streamLeft > 0)
        {
            _isGone |= _streamLeft > 0;
            _lingers |= !_body.IsComplete;
            return new ValueTask<bool>(false);
        }

        return _body.IsComplete ? new ValueTask<bool>(NextRequest()) : DrainAsync();
    }

    /// <summary>Writes the answer, unless it went out in pieces, and counts it. Returns whether the connection ends with it.</summary>
    private bool Conclude(Exchange exchange)
    {
        Settle();
        bool closes = exchange.IsStreamed ? _streamCloses : Closes(exchange);
        if (!exchange.IsStreamed)
        {
            WriteHead(exchange, exchange.AnswerBody.Length, closes, Head.IsHttp10);
            if (exchange.Verb != Verb.Head)
            {
                _out.Append(exchange.AnswerBody.Written);
            }
        }

        Count(exchange);
        return closes;
    }

    private void Count(Exchange exchange)
    {
        _server.Counters.Count(exchange.Status);
        if (exchange.Cause != Refusal.None)
        {
            _server.Refusals.Report(exchange);
        }
    }

    /// <summary>Whether the connection ends with this answer: asked for, broken, or with too much unread body in the way.</summary>
    private bool Closes(Exchange exchange)
    {
        if (!Head.KeepAlive || exchange.MustClose || _server.IsStopping)
        {
            return true;
        }

        if (_body.IsComplete)
        {
            return false;
        }

        // Nobody will read what is left. A client that waits for 100 Continue may send its body or the next request: no
        // telling which.
        ParseFault fault = PumpBody();
        Input.ConsumeBody(Input.BodyLength);
        return fault != ParseFault.None || (!_body.IsComplete
            && ((Head.ExpectsContinue && !_sentContinue) || _body.Left > Limits.MaxDrainBytes));
    }

    /// <summary>Throws the rest of a short body away.</summary>
    private async ValueTask<bool> DrainAsync()
    {
        while (!_body.IsComplete)
        {
            Input.ConsumeBody(Input.BodyLength);
            if (await ReadMoreBodyAsync(0) != ParseFault.None)
            {
                _lingers = true;
                return false;
            }
        }

        return NextRequest();
    }

    private bool NextRequest()
    {
        Input.EndRequest();
        Head.Reset();
        return true;
    }
}
