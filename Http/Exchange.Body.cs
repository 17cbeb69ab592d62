using Couic.Http.Parsing;

namespace Couic.Http;

internal sealed partial class Exchange
{
    /// <summary>The body, once <see cref="ReadBodyAsync"/> has said true.</summary>
    public ReadOnlySpan<byte> Body => _connection.Input.Body;

    /// <inheritdoc cref="Body"/>
    public ReadOnlyMemory<byte> BodyMemory => _connection.Input.BodyMemory;

    /// <summary>Whether all of the body is in <see cref="Body"/>.</summary>
    public bool IsBodyComplete => _connection.Body.IsComplete;

    /// <summary>The content type as it was sent; empty when there is none or more than one.</summary>
    public ReadOnlySpan<byte> SentContentType =>
        Head.ContentTypeCount == 1 ? Head.ContentType.Of(_connection.Input.Request) : [];

    /// <summary>Whether the body is announced as JSON; answered with 400 when it is not.</summary>
    public bool RequireJson()
    {
        if (MediaType.IsJson(SentContentType))
        {
            return true;
        }

        Fail(400, ErrorCode.BadRequest, "the content type must be application/json");
        return false;
    }

    /// <summary>Reads the whole body, up to <see cref="HttpLimits.MaxBodyBytes"/>. False: answered already.</summary>
    public ValueTask<bool> ReadBodyAsync() => ReadBodyAsync(Limits.MaxBodyBytes);

    /// <summary>The same up to another limit, in bytes.</summary>
    public ValueTask<bool> ReadBodyAsync(int maxBytes)
    {
        if (Head.ContentLength <= maxBytes)
        {
            ParseFault fault = _connection.PumpBody();
            if (fault == ParseFault.None && IsBodyComplete && _connection.Input.BodyLength <= maxBytes)
            {
                return new ValueTask<bool>(true);
            }
        }

        return ReadBodySlowlyAsync(maxBytes);
    }

    /// <summary>Gives the memory of a body back that is wanted no more; <see cref="Body"/> is empty then.</summary>
    public void ReleaseBody() => _connection.Input.DropBody();

    /// <summary>Throws the body away up to its end, up to <see cref="HttpLimits.MaxBodyBytes"/> of it. False: answered already.</summary>
    public async ValueTask<bool> SkipBodyAsync()
    {
        long skipped = 0;
        while (!IsBodyComplete)
        {
            ParseFault fault = await _connection.ReadMoreBodyAsync(0);
            if (fault != ParseFault.None)
            {
                Refuse(fault);
                return false;
            }

            skipped += _connection.Input.BodyLength;
            _connection.Input.ConsumeBody(_connection.Input.BodyLength);
            if (skipped > Limits.MaxBodyBytes)
            {
                return FailTooLarge(Limits.MaxBodyBytes);
            }
        }

        return true;
    }

    /// <summary>
    /// The body in pieces, for one that need not be in memory as a whole. Ends the connection behind the answer when a read fails
    /// and the handler says so (<see cref="CloseAfterAnswer"/>).
    /// </summary>
    public BodyPipeReader OpenBody() => new(_connection);

    /// <summary>The rest of the body is of no use, or cannot be told from a next request.</summary>
    public void CloseAfterAnswer() => MustClose = true;

    private async ValueTask<bool> ReadBodySlowlyAsync(int maxBytes)
    {
        if (Head.ContentLength > maxBytes)
        {
            return FailTooLarge(maxBytes);
        }

        while (true)
        {
            if (_connection.Input.BodyLength > maxBytes)
            {
                return FailTooLarge(maxBytes);
            }

            if (IsBodyComplete)
            {
                return true;
            }

            ParseFault fault = await _connection.ReadMoreBodyAsync(_connection.Input.BodyLength);
            if (fault != ParseFault.None)
            {
                Refuse(fault);
                return false;
            }
        }
    }

    private bool FailTooLarge(int maxBytes)
    {
        Fail(413, ErrorCode.BadRequest, $"the body is larger than {maxBytes} bytes");
        return false;
    }
}
